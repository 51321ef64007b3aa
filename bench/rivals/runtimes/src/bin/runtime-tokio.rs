//! The floor's fan-out on tokio: one thread, two tasks for each connection.

use runtimes::{Conn, Town, port, read};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local, yield_now};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, async {
        let (listener, town) = (TcpListener::bind(("127.0.0.1", port())).await?, Town::default());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            spawn_local(serve(town.clone(), stream));
        }
    })
}

async fn serve(town: Town, stream: TcpStream) {
    let (mut reader, mut writer) = stream.into_split();
    let mut conn = Conn::default();
    let queue = conn.queue();
    let outgoing = queue.clone();
    spawn_local(async move {
        while let Some(bytes) = outgoing.pending().await {
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 4096];
    while let Ok(count) = reader.read(&mut buffer).await
        && count > 0
    {
        for mut burst in read(&town, &mut conn, &buffer[..count]) {
            spawn_local(async move {
                while burst.advance() {
                    yield_now().await;
                }
            });
        }
    }
    queue.close();
}
