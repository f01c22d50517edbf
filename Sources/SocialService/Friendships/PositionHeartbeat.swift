import SocialEngine
import SocialTransport
import SocialWire

extension FriendshipsService {
    /// `PositionHeartbeat(PositionPayload) → PositionResponse`: the caller is there, every 30 s. Answers with the
    /// position as it was taken: coordinates in their shortest spelling, without what was left out. ADR-246.
    var positionHeartbeat: RPCProcedure {
        unary("PositionHeartbeat") {
            (frame: FriendshipsPositionPayloadFrame, call) async throws(SocialRefusal) -> FriendshipsPositionResponse
            in
            let payload = try HeartbeatPayload(frame)
            let caller = try await caller(call, token: payload.token, missing: payload.missing)
            let whereabouts = try payload.position.flatMap { (position) throws(SocialRefusal) in
                try Whereabouts(position)
            }
            await population.heartbeat(of: caller.address, on: caller.session, whereabouts: whereabouts)
            return .with { $0.position = FriendshipsPosition(whereabouts) }
        }
    }
}
