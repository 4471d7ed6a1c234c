//! What a transport that wraps another one has it answer: `passed_on!`.

/// These methods of [`Transport`](super::Transport), each as the transport in the field `inner` has
/// it.
macro_rules! passed_on {
    ($($method:ident)*) => { $($crate::transport::passed_on::passed_on!(@ $method);)* };
    (@ disown) => { fn disown(&self) { self.inner.disown(); } };
    (@ opening) => { fn opening(&self) -> Option<&'static str> { self.inner.opening() } };
    (@ holds_input) => { fn holds_input(&self) -> bool { self.inner.holds_input() } };
    (@ undelivered) => { fn undelivered(&self) -> Option<usize> { self.inner.undelivered() } };
    (@ read_descriptor) => {
        fn read_descriptor(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
            self.inner.read_descriptor()
        }
    };
    (@ write_descriptor) => {
        fn write_descriptor(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
            self.inner.write_descriptor()
        }
    };
    (@ local) => { fn local(&self) -> Option<$crate::Endpoint> { self.inner.local() } };
    (@ remote) => { fn remote(&self) -> Option<$crate::Endpoint> { self.inner.remote() } };
    (@ client) => { fn client(&self) -> Option<$crate::Endpoint> { self.inner.client() } };
    (@ name) => { fn name(&self) -> String { self.inner.name() } };
    (@ set_liveness) => {
        fn set_liveness(&self, liveness: &$crate::Liveness) -> std::io::Result<()> {
            self.inner.set_liveness(liveness)
        }
    };
    (@ silence) => {
        fn silence(&self) -> Option<std::time::Duration> { self.inner.silence() }
    };
    (@ process) => {
        fn process(&self) -> Option<&$crate::transport::Process> { self.inner.process() }
    };
    (@ tls) => { fn tls(&self) -> Option<$crate::transport::TlsInfo> { self.inner.tls() } };
    (@ facts) => { fn facts(&self) -> $crate::transport::Facts { self.inner.facts() } };
}

pub(super) use passed_on;
