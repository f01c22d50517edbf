import SocialEngine
import SocialTransport
import SocialWire

extension FriendshipsService {
    /// `SubscribeFriendshipPresenceUpdates(Payload) → stream SubscribeFriendshipPresenceUpdatesResponse`.
    ///
    /// First how friends are (`snapshot`, and `more` in all its elements but the last), then changes. Each position
    /// names its friend and their state, which readers of old skip. ADR-246; facts: section 3.
    var subscribeFriendshipPresenceUpdates: RPCProcedure {
        stream(
            "SubscribeFriendshipPresenceUpdates",
            refusedAs: FriendshipsSubscribeFriendshipPresenceUpdatesResponse.self
        ) { (asked: FriendshipsPayload, call) async throws(SocialRefusal) -> RPCStream in
            let caller = try await caller(call, token: asked.presented, missing: .synapseToken)
            let updates = await population.presenceUpdates(for: caller.address, on: caller.session)
            return encoded(updates, permission(of: caller))
        }
    }

    private func encoded(
        _ updates: some AsyncSequence<PresenceBatch, Never> & Sendable,
        _ mayGoOn: @escaping @Sendable () async -> Bool
    ) -> RPCStream {
        EncodedElements(
            source: updates, first: [],
            encode: { batch in
                let answer = FriendshipsSubscribeFriendshipPresenceUpdatesResponse.with {
                    $0.updates = FriendshipsPositions(batch)
                }
                return [try answer.serializedBytes()]
            }, mayGoOn: mayGoOn)
    }
}

extension FriendshipsPositions {
    init(_ batch: PresenceBatch) {
        self.init()
        snapshot = batch.isSnapshot
        more = batch.isSnapshot && batch.hasMore
        positions = batch.sightings.map { sighting in
            var position = FriendshipsPosition(sighting.whereabouts)
            position.address = sighting.friend.text
            position.state =
                switch sighting.state {
                case .online: .online
                case .away: .away
                case .offline: .offline
                }
            return position
        }
    }
}
