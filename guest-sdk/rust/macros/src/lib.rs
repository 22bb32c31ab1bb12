//! The macros of the Tidemill guest SDK: `#[derive(Record)]` and `#[tidemill::job]`.
//!
//! Both are used through the crate `tidemill`, which re-exports them; the code they make names everything
//! by its full path there, so a job needs no other dependency.

mod job;
mod record;

use proc_macro::TokenStream;

/// Makes a flat struct a record: a row of a block, with one column per field.
///
/// Fields may be `bool`, `i32`, `i64`, `f64`, `String`, `Vec<u8>`, an `Option` of each, or one of the one-column
/// carriers `List<T>`, `Json<T>` and `Bin<T>`. For every field a constant of the same name in capitals is made,
/// such as `Bid::BIDDER`, to name the field in `key_by`, `event_time` or an aggregate.
///
/// `#[record(rename = "dateTime")]` on a field and `#[record(rename_all = "camelCase")]` on the struct give columns
/// the names that the outside world uses.
#[proc_macro_derive(Record, attributes(record))]
pub fn derive_record(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    record::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes `fn name(job: &mut Job) -> Result<()>` the job of this component. Outside of WebAssembly the
/// function stays as it is, so that tests can call it.
#[proc_macro_attribute]
pub fn job(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let function = syn::parse_macro_input!(item as syn::ItemFn);
    job::expand(&attributes.into(), &function).unwrap_or_else(syn::Error::into_compile_error).into()
}
