//! The measured app on uWebSockets, which is a library in C++: so is the app, `app.cpp`, with its `main`. This file is what cargo wants of a
//! program.

#![no_main]
