import FoundationEssentials
import SocialEngine
import SocialTransport
import SocialWire

extension FriendshipsService {
    /// `SubscribeFriendshipEventsUpdates(Payload) → stream SubscribeFriendshipEventsUpdatesResponse`.
    ///
    /// First all friends (`friends`, several elements if there are many), then all open requests (`requests`), then what happens. What happened while those
    /// two were read is in them and may come once more. ADR-189: friends and requests at connect.
    var subscribeFriendshipEventsUpdates: RPCProcedure {
        stream(
            "SubscribeFriendshipEventsUpdates", refusedAs: FriendshipsSubscribeFriendshipEventsUpdatesResponse.self
        ) { (asked: FriendshipsPayload, call) async throws(SocialRefusal) -> RPCStream in
            let caller = try await caller(call, token: asked.presented, missing: .synapseToken)
            let updates = await population.friendshipUpdates(for: caller.address, on: caller.session)
            let friends = await population.friends(of: caller.address)
            let requests = await population.requests(of: caller.address)
            let first =
                stride(from: 0, to: max(friends.count, 1), by: FriendshipsService.friendsPerElement).map { start in
                    FriendshipsFriendshipEventResponses.with {
                        $0.friends = FriendshipsUsers(friends[start...].prefix(FriendshipsService.friendsPerElement))
                    }
                } + [.with { $0.requests = FriendshipsRequestEvents(requests) }]
            return encoded(updates, after: first.compactMap { try? $0.element }, permission(of: caller))
        }
    }

    /// In the first elements; so each is well below what a frame may have.
    static let friendsPerElement = 1000

    private func encoded(
        _ updates: some AsyncSequence<[FriendshipNews], Never> & Sendable, after first: [Data],
        _ mayGoOn: @escaping @Sendable () async -> Bool
    ) -> RPCStream {
        EncodedElements(
            source: updates, first: first,
            encode: { try FriendshipsFriendshipEventResponses.elements(of: $0).map { try $0.element } },
            mayGoOn: mayGoOn)
    }
}

extension FriendshipsFriendshipEventResponses {
    /// News in their order, in as few elements as keep it.
    ///
    /// The user's own requests, refusals and withdrawals go into a field that readers of old do not know: they would
    /// take them for the other user's.
    static func elements(of news: [FriendshipNews]) -> [FriendshipsFriendshipEventResponses] {
        var elements: [FriendshipsFriendshipEventResponses] = []
        for item in news {
            let response = FriendshipsFriendshipEventResponse(item)
            let goesApart = item.wouldMislead
            let isLike = elements.last.map { $0.own.isEmpty != goesApart } ?? false
            if !isLike { elements.append(FriendshipsFriendshipEventResponses()) }
            if goesApart {
                elements[elements.count - 1].own.append(response)
            } else {
                elements[elements.count - 1].responses.append(response)
            }
        }
        return elements
    }

    fileprivate var element: Data {
        get throws {
            try FriendshipsSubscribeFriendshipEventsUpdatesResponse.with { $0.events = self }.serializedBytes()
        }
    }
}

extension FriendshipNews {
    /// As an event of the other user it would mean something else.
    fileprivate var wouldMislead: Bool {
        guard isOwn, case .acted(let action, _) = body else { return false }
        switch action {
        case .request, .reject, .cancel: return true
        case .accept, .delete, .block, .unblock: return false
        }
    }
}
