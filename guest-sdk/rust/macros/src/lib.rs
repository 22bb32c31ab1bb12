//! tidemill-macros
