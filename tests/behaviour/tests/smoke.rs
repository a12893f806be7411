//! Removed later.
use runtime::net::{TcpListener, TcpStream};
use std::io;
#[runtime::test]
async fn echo_async() -> io::Result<()> {
    let server = TcpListener::bind("127.0.0.1:0")?;
    let addr = server.local_addr()?;
    drop(runtime::spawn(async move {
        let (s, _) = server.accept().await.unwrap();
        let mut buf = [0; 4096];
        loop { match s.read(&mut buf).await.unwrap() { 0 => break, n => s.write(&buf[..n]).await.unwrap() } }
    }));
    let c = TcpStream::connect(addr).await?;
    for i in 0..100u8 {
        c.write([i; 64]).await?;
        let mut b = [0; 100];
        assert_eq!(c.read(&mut b).await?, 64);
    }
    c.shutdown().await?;
    let mut b = [0; 100];
    assert_eq!(c.read(&mut b).await?, 0);
    Ok(())
}
#[runtime::test]
fn echo_callbacks() -> io::Result<()> {
    let server = TcpListener::bind("127.0.0.1:0")?;
    let addr = server.local_addr()?;
    server.listen(|server, socket| {
        server.close();
        socket.on_drain(|s| s.resume());
        socket.read_start(|socket, data| {
            let Ok(data) = data else { return };
            if data.is_empty() { socket.shutdown(); return }
            socket.write(data);
            if socket.is_full() { socket.pause(); }
        }).unwrap();
    });
    let total = std::rc::Rc::new(std::cell::Cell::new(0usize));
    let t = total.clone();
    runtime::before_exit(move || assert_eq!(t.get(), 10 << 20));
    TcpStream::connect(addr).callback(move |c| -> runtime::Result {
        let c = c?;
        c.read_start(move |_, data| total.set(total.get() + data.unwrap().len()))?;
        c.write(vec![7u8; 10 << 20]);
        c.shutdown();
        Ok(())
    });
    Ok(())
}
