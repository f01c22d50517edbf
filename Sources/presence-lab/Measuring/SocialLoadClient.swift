import FoundationEssentials
import SocialTransport
import SocialWire

/// One connection to a social service, for as many users as like to.
struct SocialLoadClient: Sendable {
    private let rpc: RPCClient
    private let module: RPCClientModule

    static func connect(to port: Int) async throws -> SocialLoadClient {
        var configuration = RPCClient.Configuration()
        // Thousands come at once.
        configuration.connectTimeout = .seconds(60)
        let rpc = try await RPCClient.connect(to: "ws://127.0.0.1:\(port)/social", configuration: configuration)
        return SocialLoadClient(rpc: rpc, module: try await rpc.port("social").module("FriendshipsService"))
    }

    /// A REQUEST, or an ACCEPT.
    func act(as user: LabUser, towards other: LabUser, isRequest: Bool) async throws {
        var payload = FriendshipsUpdateFriendshipPayload()
        payload.authToken.synapseToken = user.token
        if isRequest {
            payload.event.request.user.address = other.id
        } else {
            payload.event.accept.user.address = other.id
        }
        let answer = try await module.call("UpdateFriendshipEvent", payload.serializedBytes())
        let response = try FriendshipsUpdateFriendshipResponse(serializedBytes: answer)
        guard case .event = response.response else { throw LabError("refused: \(response)") }
    }

    func beat(as user: LabUser, x: Int32, y: Int32) async throws {
        var payload = FriendshipsPositionPayload()
        payload.synapseToken = user.token
        payload.position.realm = "main"
        payload.position.x = String(x)
        payload.position.y = String(y)
        let answer = try await module.call("PositionHeartbeat", payload.serializedBytes())
        let response = try FriendshipsPositionResponse(serializedBytes: answer)
        guard case .position = response.response else { throw LabError("refused: \(response)") }
    }

    /// Reads until the connection ends. - Parameter told: whose position it is, and its second coordinate.
    func listen(as user: LabUser, _ told: @escaping @Sendable (String, Int32) -> Void) async throws {
        try await watch(as: user) { position in
            if let y = Int32(position.y) { told(position.address, y) }
        }
    }

    /// Reads until the connection ends.
    func watch(as user: LabUser, _ told: @escaping @Sendable (FriendshipsPosition) -> Void) async throws {
        var payload = FriendshipsPayload()
        payload.synapseToken = user.token
        let elements = try await module.stream("SubscribeFriendshipPresenceUpdates", payload.serializedBytes())
        Task {
            for try await element in elements {
                let answer = try FriendshipsSubscribeFriendshipPresenceUpdatesResponse(serializedBytes: element)
                for position in answer.updates.positions { told(position) }
            }
        }
    }

    func close() async { await rpc.close() }
}
