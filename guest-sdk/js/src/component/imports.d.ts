/** The host's imports, as the compiler of components offers them. */
declare module "tidemill:job/host@0.2.0" {
  export function log(level: "trace" | "debug" | "info" | "warn" | "error", operator: number, message: string): void;
  export function emit(operator: number, port: number, block: Uint8Array): void;
  export function reportFailure(operator: number, row: number, message: string): void;
}
