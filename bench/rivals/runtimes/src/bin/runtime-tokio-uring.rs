//! The floor's fan-out on tokio-uring: one thread, tokio's loop with a ring in it, two tasks for each connection.

use std::rc::Rc;

use runtimes::{Conn, Town, port, read};
use tokio_uring::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::io::Result<()> {
    let mut builder = tokio_uring::builder();
    builder.entries(4096);
    builder.start(async {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port()));
        let (listener, town) = (TcpListener::bind(address)?, Town::default());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio_uring::spawn(serve(town.clone(), Rc::new(stream)));
        }
    })
}

async fn serve(town: Town, stream: Rc<TcpStream>) {
    let mut conn = Conn::default();
    let queue = conn.queue();
    let (outgoing, writer) = (queue.clone(), Rc::clone(&stream));
    tokio_uring::spawn(async move {
        while let Some(bytes) = outgoing.pending().await {
            if writer.write_all(bytes).await.0.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 4096];
    loop {
        let (result, filled) = stream.read(buffer).await;
        buffer = filled;
        let Ok(count @ 1..) = result else { break };
        for mut burst in read(&town, &mut conn, &buffer[..count]) {
            tokio_uring::spawn(async move {
                while burst.advance() {
                    tokio::task::yield_now().await;
                }
            });
        }
    }
    queue.close();
}
