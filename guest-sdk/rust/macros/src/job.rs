//! `#[tidemill::job]`: exports the contract for a function that builds a job.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, FnArg, ItemFn, ReturnType, Type};

/// What a job looks like.
const SHAPE: &str = "fn name(job: &mut Job) -> Result";

/// The function, followed by the exports that only a WebAssembly build has.
pub(crate) fn expand(attributes: &TokenStream, function: &ItemFn) -> Result<TokenStream, Error> {
    if !attributes.is_empty() {
        return Err(Error::new_spanned(attributes, "#[tidemill::job] takes no arguments"));
    }
    let signature = &function.sig;
    let takes_a_job = matches!(signature.inputs.first(), Some(FnArg::Typed(argument)) if matches!(&*argument.ty, Type::Reference(_)));
    if signature.inputs.len() != 1 || !takes_a_job || signature.asyncness.is_some() || !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(signature, format!("a job is `{SHAPE}`")));
    }
    if matches!(signature.output, ReturnType::Default) {
        return Err(Error::new_spanned(signature, format!("a job is `{SHAPE}`: this one returns nothing; end it with `Ok(())`")));
    }
    let name = &signature.ident;
    Ok(quote! {
        #function

        const _: fn(&mut ::tidemill::Job) -> ::tidemill::Result<()> = #name;

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs, clippy::all)]
        const _: () = {
            struct Component;
            impl ::tidemill::component::Entry for Component {
                fn job(job: &mut ::tidemill::Job) -> ::tidemill::Result<()> {
                    #name(job)
                }
            }
            type Exports = ::tidemill::component::Exports<Component>;
            ::tidemill::component::export_job!(Exports with_types_in ::tidemill::component::bindings);
        };
    })
}
