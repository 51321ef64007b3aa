//! The server that compatibility suites are pointed at: `conformance PROFILE PORT [deflate=1|everywhere] [cores=N] [driver=io_uring|epoll]`.

use anyhow::{Context, Result};
use socketville_compat::profile::{build, names};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [profile, port, options @ ..] = arguments.as_slice() else {
        anyhow::bail!(
            "usage: conformance PROFILE PORT [deflate=1|everywhere] [cores=N] [driver=io_uring|epoll]; profiles: {:?}",
            names()
        );
    };
    let io = build(profile, options)?;
    let server = io.listen(&format!("127.0.0.1:{port}")).context("a port from 0 to 65535")?;
    println!("listening on http://{}", server.local_addr());
    Ok(server.run()?)
}
