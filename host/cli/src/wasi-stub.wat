;; Answers `wasi_snapshot_preview1` inside the component, so that a module which a wasip1 compiler made imports nothing but the
;; contract. Everything is deterministic: clocks count up, random numbers come from a fixed seed, there is no file but the
;; standard streams. What is written to standard output and error goes to the log of the job. Nothing here allocates: a
;; runtime such as Go's may call from within `cabi_realloc`, and takes its memory to be contiguous.
(module
  (import "env" "memory" (memory 0))
  (import "tidemill:job/host@0.2.0" "log" (func $log (param $level i32) (param $operator i32) (param $text i32) (param $length i32)))

  ;; The greatest u32: the job as a whole.
  (global $job i32 (i32.const -1))
  (global $now (mut i64) (i64.const 0))
  (global $seed (mut i64) (i64.const 0x7469_6465_6d69_6c6c))
  ;; Where an SDK keeps the lines it is writing, see `tidemill_desk`; 0 without one.
  (global $desk (mut i32) (i32.const 0))

  ;; An SDK hands over a place in its memory: u32 address of the operator that runs, u32 length of the line begun on standard output, u32 the same
  ;; of standard error, u32 capacity of a line, u32 address and u32 length of what is to be said when the module ends itself,
  ;; and the two lines. Lines then come whole and name their operator.
  (func (export "tidemill_desk") (param $desk i32)
    (global.set $desk (local.get $desk)))

  (func $level (param $fd i32) (result i32)
    ;; info for standard output, warn for standard error
    (i32.add (local.get $fd) (i32.const 1)))

  (func $line_at (param $fd i32) (result i32)
    (i32.add
      (i32.add (global.get $desk) (i32.const 24))
      (i32.mul (i32.sub (local.get $fd) (i32.const 1)) (i32.load offset=12 (global.get $desk)))))

  (func $length_at (param $fd i32) (result i32)
    (i32.add (global.get $desk) (i32.shl (local.get $fd) (i32.const 2))))

  (func $end_line (param $fd i32)
    (call $log
      (call $level (local.get $fd))
      (i32.load (i32.load (global.get $desk)))
      (call $line_at (local.get $fd))
      (i32.load (call $length_at (local.get $fd))))
    (i32.store (call $length_at (local.get $fd)) (i32.const 0)))

  (func $put (param $fd i32) (param $byte i32)
    (local $length i32)
    (if (i32.eq (local.get $byte) (i32.const 10)) (then
      (call $end_line (local.get $fd))
      (return)))
    (local.set $length (i32.load (call $length_at (local.get $fd))))
    (i32.store8 (i32.add (call $line_at (local.get $fd)) (local.get $length)) (local.get $byte))
    (local.set $length (i32.add (local.get $length) (i32.const 1)))
    (i32.store (call $length_at (local.get $fd)) (local.get $length))
    (if (i32.eq (local.get $length) (i32.load offset=12 (global.get $desk))) (then
      (call $end_line (local.get $fd)))))

  ;; Without a desk each write is a line; its end is left out.
  (func $write_line (param $fd i32) (param $text i32) (param $length i32)
    (if (i32.eqz (local.get $length)) (then (return)))
    (if (i32.eq (i32.load8_u (i32.sub (i32.add (local.get $text) (local.get $length)) (i32.const 1))) (i32.const 10)) (then
      (local.set $length (i32.sub (local.get $length) (i32.const 1)))))
    (if (local.get $length) (then
      (call $log (call $level (local.get $fd)) (global.get $job) (local.get $text) (local.get $length)))))

  (func $write (param $fd i32) (param $text i32) (param $length i32)
    (local $end i32)
    (if (i32.eqz (global.get $desk)) (then
      (call $write_line (local.get $fd) (local.get $text) (local.get $length))
      (return)))
    (local.set $end (i32.add (local.get $text) (local.get $length)))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $text) (local.get $end)))
        (call $put (local.get $fd) (i32.load8_u (local.get $text)))
        (local.set $text (i32.add (local.get $text) (i32.const 1)))
        (br $next))))

  (func $is_output (param $fd i32) (result i32)
    (i32.lt_u (i32.sub (local.get $fd) (i32.const 1)) (i32.const 2)))

  (func (export "fd_write") (param $fd i32) (param $parts i32) (param $count i32) (param $written i32) (result i32)
    (local $total i32)
    (if (i32.eqz (call $is_output (local.get $fd))) (then (return (i32.const 8)))) ;; badf
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (call $write (local.get $fd) (i32.load (local.get $parts)) (i32.load offset=4 (local.get $parts)))
        (local.set $total (i32.add (local.get $total) (i32.load offset=4 (local.get $parts))))
        (local.set $parts (i32.add (local.get $parts) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $written) (local.get $total))
    (i32.const 0))

  ;; Standard input has ended, other files are not open.
  (func (export "fd_read") (param $fd i32) (param $parts i32) (param $count i32) (param $read i32) (result i32)
    (if (local.get $fd) (then (return (i32.const 8))))
    (i32.store (local.get $read) (i32.const 0))
    (i32.const 0))

  ;; The standard streams are character devices that may be read and written.
  (func (export "fd_fdstat_get") (param $fd i32) (param $stat i32) (result i32)
    (if (i32.gt_u (local.get $fd) (i32.const 2)) (then (return (i32.const 8))))
    (i64.store (local.get $stat) (i64.const 2))
    (i64.store offset=8 (local.get $stat) (i64.const 0x42))
    (i64.store offset=16 (local.get $stat) (i64.const 0))
    (i32.const 0))

  (func (export "fd_filestat_get") (param $fd i32) (param $stat i32) (result i32)
    (if (i32.gt_u (local.get $fd) (i32.const 2)) (then (return (i32.const 8))))
    (memory.fill (local.get $stat) (i32.const 0) (i32.const 64))
    (i32.store8 offset=16 (local.get $stat) (i32.const 2))
    (i32.const 0))

  (func (export "fd_fdstat_set_flags") (param i32 i32) (result i32) (i32.const 0))
  (func (export "fd_close") (param i32) (result i32) (i32.const 0))
  (func (export "sched_yield") (result i32) (i32.const 0))

  ;; A microsecond goes by with every look at a clock.
  (func $clock (result i64)
    (global.set $now (i64.add (global.get $now) (i64.const 1000)))
    (global.get $now))

  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $time i32) (result i32)
    (i64.store (local.get $time) (call $clock))
    (i32.const 0))

  (func (export "clock_res_get") (param $clock i32) (param $resolution i32) (result i32)
    (i64.store (local.get $resolution) (i64.const 1000))
    (i32.const 0))

  ;; Answers at once: waiting for a moment brings the clock there, waiting for a stream finds it ready.
  (func (export "poll_oneoff") (param $asked i32) (param $events i32) (param $count i32) (param $happened i32) (result i32)
    (local $left i32) (local $time i64)
    (local.set $left (local.get $count))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (i64.store (local.get $events) (i64.load (local.get $asked)))
        (i64.store offset=8 (local.get $events) (i64.const 0))
        (i64.store offset=16 (local.get $events) (i64.const 0))
        (i64.store offset=24 (local.get $events) (i64.const 0))
        (i32.store8 offset=10 (local.get $events) (i32.load8_u offset=8 (local.get $asked)))
        (if (i32.eqz (i32.load8_u offset=8 (local.get $asked))) (then
          (local.set $time (i64.load offset=24 (local.get $asked)))
          (if (i32.eqz (i32.and (i32.load16_u offset=40 (local.get $asked)) (i32.const 1))) (then
            (local.set $time (i64.add (global.get $now) (local.get $time)))))
          (if (i64.gt_u (local.get $time) (global.get $now)) (then
            (global.set $now (local.get $time))))))
        (local.set $asked (i32.add (local.get $asked) (i32.const 48)))
        (local.set $events (i32.add (local.get $events) (i32.const 32)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $happened) (local.get $count))
    (i32.const 0))

  ;; Knuth's linear congruential generator; the upper bits are the better ones.
  (func (export "random_get") (param $at i32) (param $length i32) (result i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (global.set $seed
          (i64.add (i64.mul (global.get $seed) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
        (i64.store8 (local.get $at) (i64.shr_u (global.get $seed) (i64.const 56)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  (func $nothing (param $count i32) (param $size i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $size) (i32.const 0))
    (i32.const 0))
  (export "args_sizes_get" (func $nothing))
  (export "environ_sizes_get" (func $nothing))
  (func (export "args_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "environ_get") (param i32 i32) (result i32) (i32.const 0))

  ;; A job that ends itself has failed; what it was about to say is said before.
  (func (export "proc_exit") (param i32)
    (if (global.get $desk) (then
      (if (i32.load (call $length_at (i32.const 1))) (then (call $end_line (i32.const 1))))
      (if (i32.load (call $length_at (i32.const 2))) (then (call $end_line (i32.const 2))))
      (if (i32.load offset=20 (global.get $desk)) (then
        (call $log
          (i32.const 4) ;; error
          (i32.load (i32.load (global.get $desk)))
          (i32.load offset=16 (global.get $desk))
          (i32.load offset=20 (global.get $desk)))))))
    (unreachable))
  (func (export "proc_raise") (param i32) (result i32) (unreachable))

  ;; There are no files: badf (8) for what takes an open one, and noent (44) for what looks for one.
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_advise") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_allocate") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_datasync") (param i32) (result i32) (i32.const 8))
  (func (export "fd_sync") (param i32) (result i32) (i32.const 8))
  (func (export "fd_tell") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_renumber") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "path_create_directory") (param i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 44))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 44))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_remove_directory") (param i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_unlink_file") (param i32 i32 i32) (result i32) (i32.const 44))
  (func (export "sock_accept") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_recv") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_send") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (i32.const 8))
)
