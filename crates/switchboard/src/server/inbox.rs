//! Messages to a conversation from elsewhere: the inbox of a loop or a thread, and the mailbox of
//! each conversation that wants one.
//!
//! ```text
//!  Sender, Pending --post--> [ mailbox of a conversation ] --token--> [ inbox of its loop ]
//! ```
//!
//! **Invariant:** a mailbox with something in it has its token in the inbox, or the conversation
//! takes what it holds without being told. What a mailbox holds is bounded.

use super::bench::{Bench, Setup};
use super::group::Batch;
use super::in_service::{self, InService};
use super::sender::SlowPeer;
use super::shared::Shared;
use crate::sys::Level;
use crate::{Error, limits};
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

/// Names a conversation to the loop that has it.
pub(crate) type Token = u64;

/// Wakes a loop or a thread, and says which of its conversations have mail.
///
/// What a loop's own thread puts in wakes nobody: the loop looks for it by itself before it waits.
#[derive(Debug)]
pub(crate) struct Inbox {
    tokens: Mutex<Vec<Token>>,
    /// Raised and lowered under the lock above.
    level: Level,
    /// The thread of the loop whose inbox it is, if that is one that looks.
    looks: OnceLock<ThreadId>,
    /// That thread has put something in since it looked.
    has_own: AtomicBool,
}

impl Inbox {
    pub(crate) fn new() -> io::Result<Inbox> {
        Ok(Inbox {
            tokens: Mutex::default(),
            level: Level::new()?,
            looks: OnceLock::new(),
            has_own: AtomicBool::new(false),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Token>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the loop look at what all conversations share.
    pub(crate) fn wake(&self) {
        let _tokens = self.lock();
        self.level.raise();
    }

    /// From here on this thread looks whether there [is mail](Self::has_own) before each wait.
    pub(super) fn looks(&self) {
        let _ = self.looks.set(thread::current().id());
    }

    fn notify(&self, token: Token) {
        let mut tokens = self.lock();
        tokens.push(token);
        if self.looks.get().is_some_and(|thread| *thread == thread::current().id()) {
            self.has_own.store(true, Ordering::Relaxed);
        } else {
            self.level.raise();
        }
    }

    /// Whether this thread has put something in that it has not taken.
    pub(super) fn has_own(&self) -> bool {
        self.has_own.load(Ordering::Relaxed)
    }

    /// Whose mail has come since the last call.
    pub(crate) fn take(&self, into: &mut Vec<Token>) {
        let _tokens = self.take_tokens(into);
        self.level.lower();
    }

    /// The same, while who looks at the level is still to be woken for what else it is raised for.
    pub(super) fn take_own(&self, into: &mut Vec<Token>) {
        drop(self.take_tokens(into));
    }

    fn take_tokens(&self, into: &mut Vec<Token>) -> MutexGuard<'_, Vec<Token>> {
        into.clear();
        let mut tokens = self.lock();
        std::mem::swap(&mut *tokens, into);
        self.has_own.store(false, Ordering::Relaxed);
        tokens
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.level.is_raised()
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.level.as_fd()
    }
}

/// Something for a conversation, from elsewhere.
#[derive(Debug)]
pub(super) enum Post {
    Message(Bytes),
    /// What a group has been sent.
    Batch(Arc<Batch>),
    /// What was promised with this number; `None` is the word that nothing will come of it, well
    /// or not.
    Answer {
        number: u64,
        answer: Result<Option<Bytes>, Error>,
    },
    Resume,
    Close,
    Finish,
    /// Its sender's policy for a slow peer is to end it.
    Overflow,
}

impl Post {
    /// It is taken though there is no room for messages: it makes some, or needs none.
    fn is_urgent(&self) -> bool {
        matches!(self, Post::Answer { .. } | Post::Resume | Post::Overflow)
    }

    fn bytes(&self) -> usize {
        match self {
            Post::Message(message) | Post::Answer { answer: Ok(Some(message)), .. } => {
                message.len()
            }
            Post::Batch(batch) => batch.bytes(),
            _ => 0,
        }
    }

    fn messages(&self) -> usize {
        match self {
            Post::Message(_) => 1,
            Post::Batch(batch) => batch.len(),
            _ => 0,
        }
    }
}

/// What others have for one conversation.
pub(super) struct Mailbox {
    state: Mutex<Mail>,
    /// Told when something was taken, or there is no one left to take it.
    room: Condvar,
    inbox: Arc<Inbox>,
    token: Token,
    shared: Arc<Shared>,
    setup: Arc<Setup>,
}

#[derive(Debug, Default)]
struct Mail {
    posts: VecDeque<Post>,
    bytes: usize,
    /// Messages among the posts.
    messages: usize,
    /// Posts that do not wait for room.
    urgent: usize,
    /// The token is in the inbox, or the conversation knows that there is mail.
    is_told: bool,
    /// It knows, and has no room for what there is.
    is_put_off: bool,
    is_closed: bool,
    /// No more messages: the conversation is being closed. What was promised still comes.
    is_closing: bool,
    waiting: usize,
    dropped: u64,
}

impl Mailbox {
    /// The mailbox of the conversation that has this token at this bench.
    pub(super) fn new(bench: &Bench, token: Token) -> Mailbox {
        let inbox = Arc::clone(&bench.inbox);
        let (shared, setup) = (Arc::clone(&bench.shared), Arc::clone(&bench.setup));
        Mailbox { state: Mutex::default(), room: Condvar::new(), inbox, token, shared, setup }
    }

    pub(super) fn setup(&self) -> &Arc<Setup> {
        &self.setup
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in that is bounded by its nature: answers promised, requests.
    pub(super) fn post(&self, post: Post) -> Result<(), Error> {
        in_service::post_gathered();
        let mut mail = self.lock();
        if mail.is_closed {
            return Err(over());
        }
        self.put(&mut mail, post);
        Ok(())
    }

    fn put(&self, mail: &mut Mail, post: Post) {
        let bytes = post.bytes();
        mail.bytes += bytes;
        mail.messages += post.messages();
        mail.urgent += usize::from(post.is_urgent());
        self.shared.queued_more(bytes);
        if !mail.is_told || mail.is_put_off && post.is_urgent() {
            mail.is_told = true;
            mail.is_put_off = false;
            self.inbox.notify(self.token);
        }
        mail.posts.push_back(post);
    }

    /// Puts messages in, as the policy says when there is no room for them.
    pub(super) fn send(&self, post: Post, policy: SlowPeer) -> Result<(), Error> {
        let (bytes, messages) = (post.bytes(), post.messages());
        let mut mail = self.lock();
        loop {
            if mail.is_closed || mail.is_closing {
                return Err(over());
            }
            if mail.has_room(bytes, messages) && !self.shared.is_over_queued() {
                self.put(&mut mail, post);
                return Ok(());
            }
            match policy {
                SlowPeer::Wait if InService::is_here() => {
                    return Err(Error::limit("the peer is slow and its queue is full")
                        .with_advice("a service must not wait for it: choose another policy"));
                }
                SlowPeer::Wait => {
                    mail.waiting += 1;
                    // Room in the server's bound is made by others, and not told here.
                    let waited = self.room.wait_timeout(mail, limits::QUEUE_LOOK_INTERVAL);
                    mail = waited.unwrap_or_else(PoisonError::into_inner).0;
                    mail.waiting -= 1;
                }
                SlowPeer::DropNewest => {
                    mail.dropped += messages as u64;
                    return Ok(());
                }
                SlowPeer::DropOldest if mail.drop_oldest(&self.shared) => {}
                SlowPeer::DropOldest => {
                    // Larger than the whole queue, or others have filled the server's.
                    mail.dropped += messages as u64;
                    return Ok(());
                }
                SlowPeer::Disconnect => {
                    self.shut(&mut mail);
                    self.put(&mut mail, Post::Overflow);
                    return Err(Error::limit("the peer is slow and its queue is full")
                        .with_advice("its conversation is ended, as the policy says"));
                }
            }
        }
    }

    /// Moves what there is room for into `taken`, which is empty: posts until they have so many
    /// bytes together, and of the others those that need no room. Whether that was all: else there
    /// is no token for the rest until something that needs no room is put in.
    pub(super) fn take(&self, room_bytes: usize, taken: &mut VecDeque<Post>) -> bool {
        let mut mail = self.lock();
        if mail.bytes < room_bytes {
            std::mem::swap(&mut mail.posts, taken);
            self.shared.queued_less(mail.bytes);
            (mail.bytes, mail.messages, mail.urgent) = (0, 0, 0);
        } else {
            let rest_max = mail.bytes - room_bytes;
            while room_bytes > 0
                && mail.bytes > rest_max
                && let Some(post) = mail.posts.pop_front()
            {
                mail.account(&post, &self.shared);
                taken.push_back(post);
            }
            while let Some(post) = mail.take_urgent() {
                mail.account(&post, &self.shared);
                taken.push_back(post);
            }
        }
        if mail.waiting > 0 {
            self.room.notify_all();
        }
        mail.is_told = !mail.posts.is_empty();
        mail.is_put_off = mail.is_told;
        !mail.is_told
    }

    /// The conversation is over: nothing is taken any more, and nobody waits.
    pub(super) fn close(&self) {
        self.shut(&mut self.lock());
    }

    fn shut(&self, mail: &mut Mail) {
        mail.is_closed = true;
        while let Some(post) = mail.posts.pop_front() {
            mail.account(&post, &self.shared);
        }
        self.room.notify_all();
    }

    /// The conversation is being closed: what was put in is delivered, and no more messages are
    /// taken in.
    pub(super) fn close_to_messages(&self) {
        self.lock().is_closing = true;
        self.room.notify_all();
    }

    pub(super) fn has_messages(&self) -> bool {
        self.lock().messages > 0
    }

    pub(super) fn is_closed(&self) -> bool {
        let mail = self.lock();
        mail.is_closed || mail.is_closing
    }

    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }
}

impl Mail {
    fn has_room(&self, bytes: usize, messages: usize) -> bool {
        self.messages == 0
            || self.messages + messages <= limits::SENDER_MESSAGES_MAX
                && self.bytes.saturating_add(bytes) <= limits::SENDER_BYTES_MAX
    }

    /// A post has left.
    fn account(&mut self, post: &Post, shared: &Shared) {
        self.bytes -= post.bytes();
        self.messages -= post.messages();
        self.urgent -= usize::from(post.is_urgent());
        shared.queued_less(post.bytes());
    }

    fn take_urgent(&mut self) -> Option<Post> {
        if self.urgent == 0 {
            return None;
        }
        let place = self.posts.iter().position(Post::is_urgent)?;
        self.posts.remove(place)
    }

    fn drop_oldest(&mut self, shared: &Shared) -> bool {
        let oldest = self.posts.iter().position(|post| post.messages() > 0);
        let Some(post) = oldest.and_then(|oldest| self.posts.remove(oldest)) else { return false };
        self.account(&post, shared);
        self.dropped += post.messages() as u64;
        true
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("token", &self.token).finish_non_exhaustive()
    }
}

fn over() -> Error {
    Error::finished("nothing can be sent any more: the conversation is over")
}
