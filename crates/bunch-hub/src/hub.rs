//! A hub: the server that keeps repositories.

use std::time::Duration;

use hf_hub::api::sync::{Api, ApiBuilder, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use ureq::http::Response;
use ureq::typestate::WithoutBody;
use ureq::{Body, RequestBuilder};

use crate::HubError;
use crate::listing::Listing;

/// The address of the Hugging Face hub.
const HUGGING_FACE: &str = "https://huggingface.co";

/// Timeout of the name lookup, and then of the connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Timeout until the hub answers, and between two pieces of an answer.
const SILENCE: Duration = Duration::from_secs(30);

/// A hub and the client that talks to it.
///
/// `hf-hub` gives the client, its headers, redirects that do not carry the token to another host, and the addresses. Its
/// own downloads are not used: they go to a cache of links, mistake a whole file (200) for the rest of one (206), request
/// the rest of a file that is already complete, and check neither length nor digest.
#[derive(Debug, Clone)]
pub struct Hub {
    api: Api,
    endpoint: String,
    pub(crate) retry_wait: Duration,
    silence: Duration,
}

/// An answer of the hub.
pub(crate) type Answer = Response<Body>;

impl Hub {
    /// The hub at `endpoint`, asked with `token` if there is one.
    ///
    /// # Errors
    /// Fails if the client cannot be created.
    pub fn new(endpoint: &str, token: Option<String>) -> Result<Self, HubError> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        // The cache is never written; naming one keeps `hf-hub` from looking for a home folder.
        let builder = ApiBuilder::from_cache(Cache::new(std::env::temp_dir())).with_progress(false);
        let api = builder.with_endpoint(endpoint.clone()).with_token(token).build();
        let api = api.map_err(|error| HubError::Client { endpoint: endpoint.clone(), reason: error.to_string() })?;
        Ok(Self { api, endpoint, retry_wait: Duration::from_secs(1), silence: SILENCE })
    }

    /// The hub at `HF_ENDPOINT` (https://huggingface.co without it), asked with the token `HF_TOKEN`, or else the one that
    /// `huggingface-cli login` has left in `HF_HOME`.
    ///
    /// # Errors
    /// The same as those of [`Self::new`].
    pub(crate) fn from_env() -> Result<Self, HubError> {
        let variable =
            |name| std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| HUGGING_FACE.to_owned());
        let has_home = variable("HF_HOME").is_some() || std::env::home_dir().is_some();
        let token = variable("HF_TOKEN").or_else(|| has_home.then(|| Cache::from_env().token()).flatten());
        Self::new(&endpoint, token)
    }

    /// Sets how long to wait before retrying after a connection broke (1 s by default). The wait doubles each time.
    #[must_use]
    pub fn with_retry_wait(self, retry_wait: Duration) -> Self {
        Self { retry_wait, ..self }
    }

    /// Sets how long the hub may send nothing before it counts as gone (30 s by default).
    #[must_use]
    pub fn with_silence(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    /// The hub's address, without a slash at the end.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The files of `repo` at `revision`.
    ///
    /// # Errors
    /// Fails if the hub cannot be reached, refuses, or sends no list.
    pub(crate) fn list(&self, repo: &str, revision: &str) -> Result<Listing, HubError> {
        let unreachable = |reason: ureq::Error| HubError::Unreachable {
            repo: repo.to_owned(),
            endpoint: self.endpoint.clone(),
            reason: reason.to_string(),
        };
        let request = self.repo(repo, revision).info_request().query("blobs", "true");
        let mut answer = self.ask(request).map_err(unreachable)?;
        self.refuse(repo, &format!("repository {repo} with revision {revision}"), &answer)?;
        let json = answer.body_mut().read_to_string().map_err(unreachable)?;
        Listing::parse(repo, &json)
    }

    /// Requests `name` in `repo` at `commit`, from byte `start` on.
    ///
    /// # Errors
    /// Fails with the network's error.
    pub(crate) fn open(&self, repo: &str, commit: &str, name: &str, start: u64) -> Result<Answer, ureq::Error> {
        let handle = self.repo(repo, commit);
        // With compression on the way, a file's bytes could not be counted, nor the rest of it requested.
        let mut request = handle.info_request().uri(handle.url(&encode(name))).header("Accept-Encoding", "identity");
        if start > 0 {
            request = request.header("Range", format!("bytes={start}-"));
        }
        self.ask(request)
    }

    /// Turns an answer that is not a file into an error; `what` was requested.
    ///
    /// # Errors
    /// Fails on any status other than 200 and 206.
    pub(crate) fn refuse(&self, repo: &str, what: &str, answer: &Answer) -> Result<(), HubError> {
        let (repo, endpoint) = (repo.to_owned(), self.endpoint.clone());
        match answer.status().as_u16() {
            200 | 206 => Ok(()),
            status @ (401 | 403) => {
                Err(HubError::Denied { repo, endpoint, status, code: header(answer, "x-error-code") })
            }
            404 => Err(HubError::NotFound { repo, endpoint, what: what.to_owned() }),
            status => Err(HubError::Status { endpoint, what: what.to_owned(), status }),
        }
    }

    /// Sends `request`; a refusal is returned as an answer too, because its headers say why.
    fn ask(&self, request: RequestBuilder<WithoutBody>) -> Result<Answer, ureq::Error> {
        let patience = request.config().timeout_resolve(Some(CONNECT)).timeout_connect(Some(CONNECT));
        let patience = patience.timeout_recv_response(Some(self.silence)).timeout_per_read(Some(self.silence));
        patience.http_status_as_error(false).build().call()
    }

    fn repo(&self, repo: &str, revision: &str) -> ApiRepo {
        self.api.repo(Repo::with_revision(repo.to_owned(), RepoType::Model, revision.to_owned()))
    }
}

/// A header's value.
pub(crate) fn header(answer: &Answer, name: &str) -> Option<String> {
    Some(answer.headers().get(name)?.to_str().ok()?.to_owned())
}

/// A path as a URL spells it.
fn encode(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Hub, encode};

    #[test]
    fn paths_are_spelled_as_in_urls() {
        assert_eq!(encode("original/model-00001-of-00002.safetensors"), "original/model-00001-of-00002.safetensors");
        assert_eq!(encode("a b#c%é"), "a%20b%23c%25%C3%A9");
    }

    #[test]
    fn an_endpoint_may_end_in_a_slash() {
        let hub = Hub::new("http://localhost:1/", None).unwrap();
        assert_eq!(hub.endpoint(), "http://localhost:1");
    }
}
