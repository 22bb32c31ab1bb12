//! One module per query; each says in its heading what a line of its result is.

pub(crate) mod q0;
pub(crate) mod q1;
pub(crate) mod q11;
pub(crate) mod q2;
pub(crate) mod q3;
pub(crate) mod q4;
pub(crate) mod q5;
pub(crate) mod q7;
pub(crate) mod q8;
pub(crate) mod timers;
pub(crate) mod wordcount;
