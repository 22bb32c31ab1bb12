//! tidemill-dataflow
