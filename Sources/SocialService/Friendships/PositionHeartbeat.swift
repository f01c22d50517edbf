import SocialEngine
import SocialTransport
import SocialWire

extension FriendshipsService {
    /// `PositionHeartbeat(PositionPayload) → PositionResponse`: the caller is there, every 30 s; away, if it says so.
    /// Answers with the position as it was taken: coordinates in their shortest spelling, without what was left out.
    /// ADR-246.
    var positionHeartbeat: RPCProcedure {
        unary("PositionHeartbeat") {
            (frame: FriendshipsPositionPayloadFrame, call) async throws(SocialRefusal) -> FriendshipsPositionResponse
            in
            let payload = try HeartbeatPayload(frame)
            let caller = try await caller(call, token: payload.token, missing: payload.missing)
            let whereabouts = try payload.position.flatMap { (position) throws(SocialRefusal) in
                try Whereabouts(position)
            }
            switch payload.state {
            case .online:
                await population.heartbeat(of: caller.address, on: caller.session, whereabouts: whereabouts)
            case .away:
                await population.heartbeatAway(of: caller.address, on: caller.session, whereabouts: whereabouts)
            case .offline: throw .badRequest("`state` is online or away; to leave, there is Leave")
            }
            return .with { $0.position = FriendshipsPosition(whereabouts) }
        }
    }

    /// `Leave(Payload) → PositionResponse`, empty: the caller is not there any more, by this connection; friends are
    /// told at once, unless another one holds them. presenced's own.
    var leave: RPCProcedure {
        unary("Leave") {
            (asked: FriendshipsPayload, call) async throws(SocialRefusal) -> FriendshipsPositionResponse in
            let caller = try await caller(call, token: asked.presented, missing: .synapseToken)
            await population.leave(of: caller.address, on: caller.session)
            return .with { $0.position = FriendshipsPosition() }
        }
    }
}
