//! The floor's fan-out on monoio: one thread, its own ring, two tasks for each connection.

use monoio::io::{AsyncReadRent, AsyncWriteRentExt, Splitable};
use monoio::net::{TcpListener, TcpStream};
use runtimes::{Conn, Town, port, read};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::io::Result<()> {
    let mut runtime = monoio::RuntimeBuilder::<monoio::IoUringDriver>::new().with_entries(4096).build()?;
    runtime.block_on(async {
        let (listener, town) = (TcpListener::bind(("127.0.0.1", port()))?, Town::default());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            monoio::spawn(serve(town.clone(), stream));
        }
    })
}

async fn serve(town: Town, stream: TcpStream) {
    let (mut reader, mut writer) = stream.into_split();
    let mut conn = Conn::default();
    let queue = conn.queue();
    let outgoing = queue.clone();
    monoio::spawn(async move {
        while let Some(bytes) = outgoing.pending().await {
            if writer.write_all(bytes).await.0.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 4096];
    loop {
        let (result, filled) = reader.read(buffer).await;
        buffer = filled;
        let Ok(count @ 1..) = result else { break };
        for mut burst in read(&town, &mut conn, &buffer[..count]) {
            monoio::spawn(async move {
                while burst.advance() {
                    turn().await;
                }
            });
        }
    }
    queue.close();
}

/// Lets every other task have its turn.
async fn turn() {
    let mut has_waited = false;
    std::future::poll_fn(|context| {
        if has_waited {
            return std::task::Poll::Ready(());
        }
        has_waited = true;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await
}
