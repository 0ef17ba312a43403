//! What a manager took in and has not answered yet. One that drains takes nothing more in, and answers that first.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;

/// Open until the manager drains.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    is_closed: Cell<bool>,
    closing: Notify,
    inside: Cell<usize>,
    left: Notify,
}

/// One request between its arrival and its answer.
#[derive(Debug)]
pub(crate) struct Inside(Rc<Gate>);

impl Gate {
    /// Waits until nothing more may be taken in. Safe to cancel.
    pub async fn closed(&self) {
        if !self.is_closed.get() {
            self.closing.notified().await;
        }
    }

    /// Counts a request until the value is dropped.
    pub fn enter(self: &Rc<Self>) -> Inside {
        self.inside.set(self.inside.get() + 1);
        Inside(Rc::clone(self))
    }

    /// Closes, and waits until everything that was taken in is answered.
    pub async fn close(&self) {
        self.is_closed.set(true);
        self.closing.notify_waiters();
        while self.inside.get() > 0 {
            self.left.notified().await;
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.set(self.0.inside.get().saturating_sub(1));
        self.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn closes_when_all_is_answered() {
        let gate = Rc::new(Gate::default());
        let inside = gate.enter();
        let closing = gate.close();
        tokio::pin!(closing);
        tokio::select! {
            biased;
            () = &mut closing => panic!("one is inside"),
            () = gate.closed() => {}
        }
        drop(inside);
        closing.await;
        gate.closed().await;
    }
}
