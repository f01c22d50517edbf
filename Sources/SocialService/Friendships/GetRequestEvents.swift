import PresenceModel
import SocialEngine
import SocialTransport
import SocialWire

extension FriendshipsService {
    /// `GetRequestEvents(Payload) → RequestEventsResponse`: all open requests, of the caller and to the caller.
    var getRequestEvents: RPCProcedure {
        unary("GetRequestEvents") {
            (asked: FriendshipsPayload, call) async throws(SocialRefusal) -> FriendshipsRequestEventsResponse in
            let caller = try await caller(call, token: asked.presented, missing: .synapseToken)
            let requests = await population.requests(of: caller.address)
            return .with { $0.events = FriendshipsRequestEvents(requests) }
        }
    }
}

extension FriendshipsRequestEvents {
    init(_ requests: (outgoing: [FriendRequest], incoming: [FriendRequest])) {
        self.init()
        outgoing = FriendshipsRequests(requests.outgoing)
        incoming = FriendshipsRequests(requests.incoming)
    }
}

extension FriendshipsRequests {
    init(_ requests: [FriendRequest]) {
        self.init()
        total = Int64(requests.count)
        items = requests.map { request in
            .with {
                $0.user.address = request.other.text
                $0.createdAt = request.createdAt.secondsSinceEpoch
                if let message = request.message { $0.message = message }
            }
        }
    }
}

extension Instant {
    /// As times are on the wire.
    var secondsSinceEpoch: Int64 { millisecondsSinceEpoch / 1000 }
}
