//! Compiles the sources of uWebSockets that its package carries, with the app, as their makefiles would: plain TCP on epoll,
//! no compression.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The package that carries the sources.
const CARRIER: &str = "libuwebsockets-sys";

fn main() {
    let sources = carrier().join("uWebSockets");
    let sockets = sources.join("uSockets/src");
    let mut build = cc::Build::new();
    build.include(&sockets).define("LIBUS_NO_SSL", None).opt_level(3).warnings(false);
    build.flag("-flto").flag("-ffat-lto-objects");
    // The app first: it asks for the sockets' functions.
    build
        .clone()
        .cpp(true)
        .std("c++20")
        .file("src/app.cpp")
        .include(sources.join("src"))
        .define("UWS_NO_ZLIB", None)
        .compile("app");
    build
        .std("c11")
        .files(["bsd.c", "context.c", "loop.c", "socket.c", "udp.c"].map(|name| sockets.join(name)))
        .file(sockets.join("eventing/epoll_kqueue.c"))
        .compile("usockets");
    for argument in ["-flto", "-O3", "-fuse-ld=bfd"] {
        println!("cargo::rustc-link-arg={argument}");
    }
    println!("cargo::rerun-if-changed=src/app.cpp");
    println!("cargo::rerun-if-changed=build.rs");
}

/// Where cargo has unpacked the carrier; it is asked, for a build does not fetch what no platform needs.
fn carrier() -> PathBuf {
    let cargo = std::env::var_os("CARGO").expect("a build script is told where cargo is");
    let asked = Command::new(cargo)
        .args(["metadata", "--locked", "--format-version", "1"])
        .output()
        .expect("cargo can be started");
    assert!(asked.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&asked.stderr));
    let metadata: Value = serde_json::from_slice(&asked.stdout).expect("cargo writes JSON");
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let carrier = packages.find(|package| package["name"] == CARRIER).expect("the carrier is locked");
    let manifest = Path::new(carrier["manifest_path"].as_str().expect("a package has a manifest"));
    manifest.parent().expect("a manifest lies in a folder").to_owned()
}
