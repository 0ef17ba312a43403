//! What databases need of this service, for one request.

use std::future::Future;

use auth_db::{Client, Note, Outside, PamQuestion, PamVerdict, Weight};

use crate::log;
use crate::shared::Shared;
use crate::turns::Asker;

/// The service as one request's databases see it.
pub struct For<'a> {
    /// Threads and auth-worker.
    pub shared: &'a Shared,
    /// Whom the request is about, for the log.
    pub client: &'a Client,
}

impl For<'_> {
    fn asker(&self) -> Asker {
        Asker::new(self.client.remote_ip())
    }
}

impl Outside for For<'_> {
    fn off_loop<T: Send + 'static>(
        &self,
        weight: Weight,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Option<T>> {
        self.shared.threads.run(weight, self.asker(), work)
    }

    fn pam(&self, question: PamQuestion) -> impl Future<Output = PamVerdict> {
        self.shared.workers.ask(self.asker(), question)
    }

    fn note(&self, note: Note) {
        log::note(self.client, &note);
    }
}
