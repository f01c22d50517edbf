import SocialEngine

/// Elements of one subscription, which ends when nobody holds it any more.
struct SocialSubscription<Element: Sendable>: AsyncSequence, Sendable {
    let lease: SubscriptionLease
    let next: @Sendable (SocialSubscriptionID) async -> Element?

    struct AsyncIterator: AsyncIteratorProtocol {
        let subscription: SocialSubscription

        func next() async -> Element? { await subscription.next(subscription.lease.id) }

        func next(isolation actor: isolated (any Actor)?) async throws(Never) -> Element? {
            await subscription.next(subscription.lease.id)
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(subscription: self) }
}

/// Closes its subscription when it is let go of.
final class SubscriptionLease: Sendable {
    let id: SocialSubscriptionID
    private let runtime: SocialRuntime

    init(_ id: SocialSubscriptionID, of runtime: SocialRuntime) {
        self.id = id
        self.runtime = runtime
    }

    deinit {
        let (id, runtime) = (id, runtime)
        Task { await runtime.close(id) }
    }
}
