//! `#[derive(Record)]`: columns, readers, writers and field constants of a flat struct.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Field, Fields, Ident, Index, LitStr, Type};

/// One field, with the name of its column.
struct Column<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    name: String,
    constant: Ident,
    index: Index,
}

/// The implementation of `Record` and the field constants.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream, Error> {
    let columns = columns(input)?;
    let name = &input.ident;
    let count = columns.len();
    let idents: Vec<_> = columns.iter().map(|c| c.ident).collect();
    let types: Vec<_> = columns.iter().map(|c| c.ty).collect();
    let names: Vec<_> = columns.iter().map(|c| &c.name).collect();
    let at: Vec<_> = columns.iter().map(|c| &c.index).collect();
    let parts: Vec<_> = columns.iter().map(|c| Ident::new(&format!("P{}", c.index.index), Span::call_site())).collect();
    let constants: Vec<_> = columns.iter().map(|c| &c.constant).collect();
    let docs: Vec<_> = columns.iter().map(|c| format!("The field `{}`.", c.ident.unraw())).collect();
    Ok(quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl ::tidemill::record::Record for #name {
            const COLUMNS: usize = #count;
            type Readers<'a> = (#(<#types as ::tidemill::record::Cell>::Reader<'a>,)*);
            type Writers = (#(<#types as ::tidemill::record::Cell>::Writer,)*);

            fn fields(fields: &mut ::std::vec::Vec<::tidemill::record::Column>) {
                #(fields.push(::tidemill::record::Column::of::<#types>(#names));)*
            }

            fn open<'a>(
                columns: &mut ::tidemill::record::Cursor<'_, 'a>,
            ) -> ::std::result::Result<Self::Readers<'a>, ::tidemill::block::Error> {
                ::std::result::Result::Ok((#(columns.open::<#types>()?,)*))
            }

            #[inline]
            fn read(readers: &Self::Readers<'_>, row: usize) -> Self {
                #name { #(#idents: <#types as ::tidemill::record::Cell>::read(&readers.#at, row),)* }
            }

            #[inline]
            fn write(&self, writers: &mut Self::Writers) {
                #(<#types as ::tidemill::record::Cell>::write(&self.#idents, &mut writers.#at);)*
            }

            fn each_writer(writers: &mut Self::Writers, each: &mut dyn FnMut(&mut dyn ::tidemill::block::Writer)) {
                #(each(&mut writers.#at);)*
            }

            #[inline]
            fn heap_len(writers: &Self::Writers) -> usize {
                0 #(+ ::tidemill::block::Writer::heap_len(&writers.#at))*
            }
        }

        #[automatically_derived]
        impl<#(#parts: ::tidemill::record::Part<#types>),*> ::tidemill::record::Row<#name> for (#(#parts,)*) {
            #[inline]
            fn write(&self, writers: &mut <#name as ::tidemill::record::Record>::Writers) {
                #(::tidemill::record::Part::<#types>::write(&self.#at, &mut writers.#at);)*
            }

            fn into_record(self) -> #name {
                #name { #(#idents: ::tidemill::record::Part::<#types>::into_cell(self.#at),)* }
            }
        }

        #[automatically_derived]
        #[allow(dead_code, unreachable_pub)]
        impl #name {
            #(
                #[doc = #docs]
                pub const #constants: ::tidemill::record::Field<#name, #types> =
                    ::tidemill::record::Field::new(#at, #names, |record| &record.#idents);
            )*
        }
    })
}

fn columns(input: &DeriveInput) -> Result<Vec<Column<'_>>, Error> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            "a record is a struct with named fields; for several kinds of records use one struct each",
        ));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(&input.ident, "a record has named fields, which become the names of its columns"));
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(&input.generics, "a record has no generic parameters: its columns are fixed in the plan"));
    }
    if fields.named.is_empty() {
        return Err(Error::new_spanned(&input.ident, "a record has at least one field"));
    }
    let rename_all = attribute(&input.attrs, "rename_all")?.map(|text| Case::parse(&text)).transpose()?;
    let columns: Vec<_> = fields.named.iter().enumerate().map(|(i, field)| column(i, field, rename_all)).collect::<Result<_, _>>()?;
    for (i, column) in columns.iter().enumerate() {
        if columns[..i].iter().any(|earlier| earlier.name == column.name) {
            return Err(Error::new_spanned(column.ident, format!("two fields have the column name {:?}", column.name)));
        }
    }
    Ok(columns)
}

fn column(index: usize, field: &Field, rename_all: Option<Case>) -> Result<Column<'_>, Error> {
    let ident = field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "a record has named fields"))?;
    let bare = ident.unraw().to_string();
    let name = match attribute(&field.attrs, "rename")? {
        Some(text) => checked_name(&text)?,
        None => rename_all.map_or_else(|| bare.clone(), |case| case.apply(&bare)),
    };
    let constant = Ident::new(&bare.to_uppercase(), ident.span());
    Ok(Column { ident, ty: &field.ty, name, constant, index: Index::from(index) })
}

/// A column's name may hold letters, digits, `_`, `.` and `-`; `$` is kept for columns that the SDK adds.
fn checked_name(text: &LitStr) -> Result<String, Error> {
    let name = text.value();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) {
        return Err(Error::new_spanned(text, "a column's name may only hold letters, digits, `_`, `.` and `-`"));
    }
    Ok(name)
}

/// The value of `#[record(key = "…")]`.
fn attribute(attributes: &[syn::Attribute], key: &str) -> Result<Option<LitStr>, Error> {
    let mut found = None;
    for attribute in attributes.iter().filter(|a| a.path().is_ident("record")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident(key) {
                found = Some(meta.value()?.parse()?);
                return Ok(());
            }
            let there = if key == "rename" { "`rename = \"…\"` on a field" } else { "`rename_all = \"…\"` on the struct" };
            Err(meta.error(format!("unknown attribute; there is {there}")))
        })?;
    }
    Ok(found)
}

/// How `rename_all` writes a snake_case field name.
#[derive(Clone, Copy)]
enum Case {
    Camel,
    Pascal,
    Kebab,
    ScreamingSnake,
}

impl Case {
    fn parse(text: &LitStr) -> Result<Case, Error> {
        match text.value().as_str() {
            "camelCase" => Ok(Case::Camel),
            "PascalCase" => Ok(Case::Pascal),
            "kebab-case" => Ok(Case::Kebab),
            "SCREAMING_SNAKE_CASE" => Ok(Case::ScreamingSnake),
            _ => Err(Error::new(Span::call_site(), "rename_all is camelCase, PascalCase, kebab-case or SCREAMING_SNAKE_CASE")),
        }
    }

    fn apply(self, snake: &str) -> String {
        match self {
            Case::Kebab => snake.replace('_', "-"),
            Case::ScreamingSnake => snake.to_uppercase(),
            Case::Camel | Case::Pascal => {
                let words = snake.split('_').filter(|w| !w.is_empty()).enumerate();
                words.map(|(i, word)| if i == 0 && matches!(self, Case::Camel) { word.to_owned() } else { capitalised(word) }).collect()
            }
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_serdes() {
        assert_eq!(Case::Camel.apply("date_time"), "dateTime");
        assert_eq!(Case::Pascal.apply("date_time"), "DateTime");
        assert_eq!(Case::Kebab.apply("date_time"), "date-time");
        assert_eq!(Case::ScreamingSnake.apply("date_time"), "DATE_TIME");
        assert_eq!(Case::Camel.apply("id"), "id");
    }

    #[test]
    fn what_is_no_record_is_refused_in_words() {
        let error = |text: &str| expand(&syn::parse_str(text).expect(text)).expect_err(text).to_string();
        assert!(error("enum A { B }").contains("struct with named fields"));
        assert!(error("struct A(i64);").contains("named fields"));
        assert!(error("struct A<T> { t: T }").contains("generic"));
        assert!(error("struct A {}").contains("at least one"));
        assert!(error("struct A { #[record(rename = \"a b\")] a: i64 }").contains("letters"));
        assert!(error("struct A { #[record(rename = \"b\")] a: i64, b: i64 }").contains("two fields"));
        assert!(error("struct A { #[record(skip)] a: i64 }").contains("unknown attribute"));
    }
}
