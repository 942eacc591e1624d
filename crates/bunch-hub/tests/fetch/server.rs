//! A hub on this machine: one thread, one request per connection.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bunch_hub::Hub;

/// A request, as far as a test looks at it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// Header names in lower case.
    pub headers: BTreeMap<String, String>,
}

impl Request {
    /// The first byte asked for, if it is not the whole file.
    pub fn range_start(&self) -> Option<usize> {
        let range = self.headers.get("range")?;
        Some(range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap())
    }
}

/// An answer.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Send only so many bytes of the body, then close the connection.
    pub cut: Option<usize>,
    /// How long the connection stays open after the last byte.
    pub stall: Duration,
}

impl Reply {
    pub fn new(status: u16, body: &[u8]) -> Self {
        Self { status, headers: Vec::new(), body: body.to_vec(), cut: None, stall: Duration::ZERO }
    }

    /// `bytes`, or the rest of them if `request` asks for it, as hubs answer.
    pub fn file(request: &Request, bytes: &[u8]) -> Self {
        match request.range_start() {
            None => Self::new(200, bytes),
            Some(start) if start >= bytes.len() => Self::new(416, b""),
            Some(start) => {
                let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
                Self { headers: vec![("Content-Range", range)], ..Self::new(206, &bytes[start..]) }
            }
        }
    }

    pub fn stall(self, stall: Duration) -> Self {
        Self { stall, ..self }
    }

    pub fn cut(self, cut: usize) -> Self {
        Self { cut: Some(cut), ..self }
    }
}

/// A hub that answers as a closure says, and remembers what it was asked.
pub struct Server {
    pub hub: Hub,
    pub endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(token: Option<&str>, mut answer: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &seen, &mut answer);
            }
        });
        let hub = Hub::new(&endpoint, token.map(str::to_owned)).unwrap().with_retry_wait(Duration::from_millis(1));
        Self { hub, endpoint, requests }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The first bytes asked for of files that end in `name`, in order.
    pub fn starts(&self, name: &str) -> Vec<Option<usize>> {
        let requests = self.requests();
        requests.iter().filter(|request| request.target.ends_with(name)).map(Request::range_start).collect()
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Request>>, answer: &mut impl FnMut(&Request) -> Reply) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let target = first.split(' ').nth(1).unwrap().to_owned();
    let headers = lines.take_while(|line| !line.is_empty());
    let headers = headers.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_lowercase(), value.to_owned())
    });
    let request = Request { target, headers: headers.collect() };
    seen.lock().unwrap().push(request.clone());
    let reply = answer(&request);
    let mut head = format!("HTTP/1.1 {} .\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", reply.body.len());
    let sent = reply.cut.unwrap_or(reply.body.len());
    // A client that has heard enough may hang up.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&reply.body[..sent]));
    std::thread::sleep(reply.stall);
}
