//! Fetching from a hub on this machine.

mod server;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bunch_checkpoint::sha256_bytes;
use bunch_hub::{Hub, HubError, Selection};
use bunch_progress::{Progress, Quiet};
use server::{Reply, Request, Server};

const CONFIG: &[u8] = b"hello\n";
/// `git hash-object` of [`CONFIG`].
const CONFIG_ID: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

fn weights() -> Vec<u8> {
    (0..1_000_000_u32).map(|i| (i * 31 % 251) as u8).collect()
}

/// The answer about a repository of a configuration and weights.
fn info() -> Reply {
    let sha256 = sha256_bytes(&weights());
    let json = format!(
        r#"{{"sha": "c0ffee", "siblings": [
            {{"rfilename": "model.safetensors", "size": 1000000, "lfs": {{"sha256": "{sha256}", "size": 1000000}}}},
            {{"rfilename": "config.json", "size": 6, "blobId": "{CONFIG_ID}"}},
            {{"rfilename": "pytorch_model.bin", "size": 6, "blobId": "{CONFIG_ID}"}}]}}"#
    );
    Reply::new(200, json.as_bytes())
}

/// A hub whose weights are answered for by `weights`.
fn hub_with(mut weights: impl FnMut(&Request) -> Reply + Send + 'static) -> Server {
    Server::start(None, move |request| match request.target.as_str() {
        "/api/models/org/name/revision/main?blobs=true" => info(),
        "/org/name/resolve/c0ffee/config.json" => Reply::file(request, CONFIG),
        "/org/name/resolve/c0ffee/model.safetensors" => weights(request),
        other => Reply::new(404, other.as_bytes()),
    })
}

fn fetch(server: &Server, out: &Path) -> Result<bunch_hub::Fetched, HubError> {
    server.hub.fetch("org/name", None, out, &Selection::default(), &Quiet)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_model_is_fetched_once_and_checked_afterwards() {
    let server = hub_with(|request| Reply::file(request, &weights()));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new/model");
    let fetched = fetch(&server, &out).unwrap();
    assert_eq!(
        (fetched.repo.as_str(), fetched.commit.as_str(), fetched.downloaded()),
        ("org/name", "c0ffee", 1_000_006)
    );
    assert_eq!(fetched.files[0].digest, format!("git blob sha1:{CONFIG_ID}"));
    assert_eq!(fetched.files[1].digest, format!("sha256:{}", sha256_bytes(&weights())));
    assert_eq!(names(&out), ["config.json", "model.safetensors"]);
    assert_eq!(fs::read(out.join("config.json")).unwrap(), CONFIG);
    assert_eq!(fs::read(out.join("model.safetensors")).unwrap(), weights());

    // Again: nothing comes over the network but the list. A file that was changed is fetched again.
    assert_eq!(fetch(&server, &out).unwrap().downloaded(), 0);
    assert_eq!(server.requests().len(), 4);
    fs::write(out.join("config.json"), b"hallo\n").unwrap();
    assert_eq!(fetch(&server, &out).unwrap().downloaded(), 6);
    assert_eq!(fs::read(out.join("config.json")).unwrap(), CONFIG);
}

#[test]
fn a_download_that_is_cut_goes_on_within_the_call() {
    let server = hub_with(|request| {
        let reply = Reply::file(request, &weights());
        if request.range_start().unwrap_or(0) < 800_000 { reply.cut(400_000) } else { reply }
    });
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&server, folder.path()).unwrap().downloaded(), 1_000_006);
    assert_eq!(server.starts("model.safetensors"), [None, Some(400_000), Some(800_000)]);
    assert_eq!(fs::read(folder.path().join("model.safetensors")).unwrap(), weights());
}

#[test]
fn a_hub_that_falls_silent_is_asked_again_for_the_rest() {
    let server = hub_with(|request| match request.range_start() {
        None => Reply::file(request, &weights()).cut(400_000).stall(Duration::from_millis(1500)),
        Some(_) => Reply::file(request, &weights()),
    });
    let folder = tempfile::tempdir().unwrap();
    let hub = server.hub.clone().with_silence(Duration::from_secs(1));
    let fetched = hub.fetch("org/name", None, folder.path(), &Selection::default(), &Quiet).unwrap();
    assert_eq!(fetched.downloaded(), 1_000_006);
    assert_eq!(server.starts("model.safetensors"), [None, Some(400_000)]);
    assert_eq!(fs::read(folder.path().join("model.safetensors")).unwrap(), weights());
}

#[test]
fn a_download_that_stopped_goes_on_in_the_next_call() {
    let broken = hub_with(|request| match request.range_start() {
        None => Reply::file(request, &weights()).cut(300_000),
        Some(_) => Reply::new(503, b"later"),
    });
    let folder = tempfile::tempdir().unwrap();
    let error = fetch(&broken, folder.path()).unwrap_err().to_string();
    let expected = "model.safetensors: the download stopped at 300000 of 1000000 bytes (the hub answered 503); \
                    fetching again resumes from there";
    assert_eq!(error, expected);
    assert!(!folder.path().join("model.safetensors").exists());
    assert_eq!(broken.starts("model.safetensors").len(), 5);

    let server = hub_with(|request| Reply::file(request, &weights()));
    assert_eq!(fetch(&server, folder.path()).unwrap().downloaded(), 700_000);
    assert_eq!(server.starts("model.safetensors"), [Some(300_000)]);
    assert_eq!(fs::read(folder.path().join("model.safetensors")).unwrap(), weights());
    assert_eq!(names(folder.path()), ["config.json", "model.safetensors"]);
}

#[test]
fn a_server_without_ranges_sends_the_whole_file_again() {
    let mut calls = 0;
    let server = hub_with(move |_| {
        calls += 1;
        if calls == 1 { Reply::new(200, &weights()).cut(10) } else { Reply::new(200, &weights()) }
    });
    let folder = tempfile::tempdir().unwrap();
    fetch(&server, folder.path()).unwrap();
    assert_eq!(server.starts("model.safetensors"), [None, Some(10)]);
    assert_eq!(fs::read(folder.path().join("model.safetensors")).unwrap(), weights());
}

#[test]
fn a_server_that_never_gets_further_is_given_up() {
    let server = hub_with(|_| Reply::new(200, &weights()).cut(10));
    let folder = tempfile::tempdir().unwrap();
    let error = fetch(&server, folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("model.safetensors: the download stopped at 10 of 1000000 bytes ("), "{error}");
    assert_eq!(server.starts("model.safetensors").len(), 5);
}

#[test]
fn a_part_that_was_not_asked_for_is_not_appended() {
    let server = hub_with(|request| match request.range_start() {
        None => Reply::file(request, &weights()).cut(10),
        Some(_) => Reply {
            headers: vec![("Content-Range", "bytes 500-999999/1000000".to_owned())],
            ..Reply::new(206, &weights()[500..])
        },
    });
    let folder = tempfile::tempdir().unwrap();
    // The file starts from scratch each time, and is truncated each time.
    let error = fetch(&server, folder.path()).unwrap_err().to_string();
    assert!(error.contains("the download stopped at"), "{error}");
}

#[test]
fn a_wrong_digest_is_an_error_and_the_file_is_not_kept() {
    let mut wrong = weights();
    wrong[7] ^= 1;
    let got = sha256_bytes(&wrong);
    let server = hub_with(move |request| Reply::file(request, &wrong));
    let folder = tempfile::tempdir().unwrap();
    let error = fetch(&server, folder.path()).unwrap_err();
    let expected = sha256_bytes(&weights());
    let message = format!("model.safetensors: sha256: expected {expected}, got {got}; the file was not kept");
    assert_eq!(error.to_string(), message);
    assert_eq!(names(folder.path()), ["config.json"]);
}

#[test]
fn a_file_that_is_too_long_is_not_kept() {
    let mut long = weights();
    long.extend([1; 100]);
    let server = hub_with(move |request| Reply::file(request, &long));
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(fetch(&server, folder.path()).unwrap_err(), HubError::Digest { algorithm: "sha256", .. }));
    assert_eq!(names(folder.path()), ["config.json"]);
}

#[test]
fn gated_repositories_say_what_to_do() {
    for (status, in_list) in [(401, true), (403, false)] {
        let server = Server::start(None, move |request| {
            let denied = Reply { headers: vec![("X-Error-Code", "GatedRepo".to_owned())], ..Reply::new(status, b"") };
            if !in_list && request.target.starts_with("/api/") { info() } else { denied }
        });
        let folder = tempfile::tempdir().unwrap();
        let error = fetch(&server, folder.path()).unwrap_err().to_string();
        let (endpoint, start) = (&server.endpoint, format!("org/name: the hub answered {status} (GatedRepo); "));
        assert!(error.starts_with(&start), "{error}");
        let advice = format!("accept its licence at {endpoint}/org/name and set HF_TOKEN");
        assert!(error.contains(&advice), "{error}");
    }
}

#[test]
fn the_token_goes_with_every_request() {
    let server = Server::start(Some("hf_secret"), |request| match request.target.as_str() {
        target if target.starts_with("/api/") => info(),
        target if target.ends_with("config.json") => Reply::file(request, CONFIG),
        _ => Reply::file(request, &weights()),
    });
    let folder = tempfile::tempdir().unwrap();
    fetch(&server, folder.path()).unwrap();
    for request in server.requests() {
        assert_eq!(request.headers["authorization"], "Bearer hf_secret", "{}", request.target);
    }
}

#[test]
fn another_host_that_files_lie_on_does_not_see_the_token() {
    let store = Server::start(None, |request| Reply::file(request, &weights()));
    // By name, so that it is another host than 127.0.0.1.
    let address = store.endpoint.replace("127.0.0.1", "localhost");
    let server = Server::start(Some("hf_secret"), move |request| match request.target.as_str() {
        target if target.starts_with("/api/") => info(),
        target if target.ends_with("config.json") => Reply::file(request, CONFIG),
        _ => Reply { headers: vec![("Location", format!("{address}/blob"))], ..Reply::new(302, b"") },
    });
    let folder = tempfile::tempdir().unwrap();
    fetch(&server, folder.path()).unwrap();
    assert_eq!(fs::read(folder.path().join("model.safetensors")).unwrap(), weights());
    assert!(!store.requests()[0].headers.contains_key("authorization"));
}

#[test]
fn what_is_not_there_is_named() {
    let server = hub_with(|request| Reply::file(request, &weights()));
    let folder = tempfile::tempdir().unwrap();
    let ask = |repo: &str, revision| {
        server.hub.fetch(repo, revision, folder.path(), &Selection::default(), &Quiet).unwrap_err().to_string()
    };
    let endpoint = &server.endpoint;
    let missing = format!("org/other: {endpoint} has no repository org/other with revision main");
    assert_eq!(ask("org/other", None), missing);
    let missing = format!("org/name: {endpoint} has no repository org/name with revision refs/pr/1");
    assert_eq!(ask("org/name", Some("refs/pr/1")), missing);
    assert_eq!(server.requests()[1].target, "/api/models/org/name/revision/refs%2Fpr%2F1?blobs=true");
    assert!(ask("name", None).contains("expected ORG/NAME"));
}

#[test]
fn a_hub_that_cannot_be_reached_is_named_with_a_way_out() {
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hub = Hub::new(&format!("http://{address}"), None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let error = hub.fetch("org/name", None, folder.path(), &Selection::default(), &Quiet).unwrap_err().to_string();
    assert!(error.starts_with(&format!("org/name: the hub at http://{address} could not be reached (")), "{error}");
    assert!(error.contains("a folder that was downloaded elsewhere works too"), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn a_hub_whose_name_nobody_knows_or_that_never_answers_is_given_up_soon() {
    // RFC 2606: no name below `invalid` is anybody's.
    let unknown = Hub::new("http://hub.invalid", None).unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = Hub::new(&format!("http://{}", silent.local_addr().unwrap()), None).unwrap();
    for hub in [unknown, silent.with_silence(Duration::from_millis(200))] {
        let folder = tempfile::tempdir().unwrap();
        let start = Instant::now();
        let error = hub.fetch("org/name", None, folder.path(), &Selection::default(), &Quiet).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("org/name: the hub at {} could not be reached (", hub.endpoint())),
            "{error}"
        );
        assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
    }
}

#[test]
fn progress_is_told_to_the_end() {
    /// Bytes by file, the last file last.
    struct Log(Mutex<Vec<(String, u64)>>);
    impl Progress for Log {
        fn begin(&self, stage: &str, total: u64, done: u64) {
            assert_eq!((stage, total, done), ("fetching 2 files", 1_000_006, 0));
        }
        fn turn_to(&self, file: &str) {
            self.0.lock().unwrap().push((file.to_owned(), 0));
        }
        fn advance(&self, bytes: u64) {
            assert!(bytes > 0);
            self.0.lock().unwrap().last_mut().unwrap().1 += bytes;
        }
    }
    let server = hub_with(|request| Reply::file(request, &weights()));
    let folder = tempfile::tempdir().unwrap();
    let log = Log(Mutex::default());
    server.hub.fetch("org/name", None, folder.path(), &Selection::default(), &log).unwrap();
    let log = log.0.into_inner().unwrap();
    assert_eq!(log.last().unwrap(), &("model.safetensors".to_owned(), 1_000_000));
    assert_eq!(log.iter().map(|(_, bytes)| bytes).sum::<u64>(), 1_000_006);
}

#[test]
fn two_downloads_do_not_write_one_file() {
    let server = hub_with(|request| Reply::file(request, &weights()));
    let folder = tempfile::tempdir().unwrap();
    let partial = folder.path().join(format!("config.json.{}.partial", &CONFIG_ID[..16]));
    let file = fs::File::create(&partial).unwrap();
    file.lock().unwrap();
    let error = fetch(&server, folder.path()).unwrap_err().to_string();
    assert!(error.ends_with(".partial: another process is writing this file"), "{error}");
}
