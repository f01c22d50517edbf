import MatrixWire
import PresenceModel

/// Access tokens for users of the homeserver, which the application service gets by logging in as them: to show them to
/// whoever takes Matrix tokens.
///
/// One device of a fixed name for each user, so that devices do not pile up. Tokens are in memory alone; after a restart
/// the same device gets a new one, and the earlier one ends with it only where the homeserver follows the specification:
/// Synapse keeps it until the user signs that device out. Spec: application service API, `m.login.application_service`.
public actor ApplicationServiceLogins {
    /// Past this, the token that was got first is forgotten, and got anew when it is asked for.
    public static let tokensLimit = 100_000
    /// The device of which every token is. Not the one that shows a user in the world.
    public static let device = "org.presenced.bridge.login"

    /// Log-ins at once; the others wait in the order of their coming.
    public static let loginsAtOnce = 8

    private let client: HomeserverClient
    private var tokens: [UserID: String] = [:]
    /// In the order of their coming; who was forgotten meanwhile may be in it still.
    private var order: [UserID] = []
    private var underway: [UserID: Task<Result<String, HomeserverTrouble>, Never>] = [:]
    private var free = ApplicationServiceLogins.loginsAtOnce
    /// No more than there are users.
    private var waiting: ArraySlice<CheckedContinuation<Void, Never>> = []

    /// - Parameter registration: whose namespaces hold the users.
    public init(registration: Registration, homeserver: any HomeserverAsking) {
        client = HomeserverClient(
            homeserver: homeserver, ownToken: registration.ownToken, id: registration.id, adminToken: nil)
    }

    /// The user's token; who asks while it is being got waits for the same.
    /// - Throws: ``HomeserverTrouble``; of a homeserver that says no, with what would mend it.
    public func token(for user: UserID) async throws(HomeserverTrouble) -> String {
        if let token = tokens[user] { return token }
        if let same = underway[user] { return try await same.value.get() }
        let task = Task { await logIn(user) }
        underway[user] = task
        let result = await task.value
        underway[user] = nil
        if case .success(let token) = result { keep(token, of: user) }
        return try result.get()
    }

    /// That token is not taken any more: the next one is got anew. One that was got since stays.
    public func forget(_ user: UserID, _ token: String) { if tokens[user] == token { tokens[user] = nil } }

    private func logIn(_ user: UserID) async -> Result<String, HomeserverTrouble> {
        if free > 0 { free -= 1 } else { await withCheckedContinuation { waiting.append($0) } }
        defer { if let next = waiting.popFirst() { next.resume() } else { free += 1 } }
        do throws(HomeserverTrouble) {
            return .success(
                try await client.logIn(
                    user, device: ApplicationServiceLogins.device, deviceName: "presenced, in the social service"))
        } catch {
            return .failure(ApplicationServiceLogins.explained(error))
        }
    }

    private func keep(_ token: String, of user: UserID) {
        tokens[user] = token
        order.append(user)
        while order.count > ApplicationServiceLogins.tokensLimit {
            let oldest = order.removeFirst()
            if oldest != user { tokens[oldest] = nil }
        }
    }

    private static func explained(_ trouble: HomeserverTrouble) -> HomeserverTrouble {
        guard case .refused = trouble.code else { return trouble }
        return HomeserverTrouble(
            trouble.code,
            "\(trouble.message): the application service may not log in as the user; its registration must have them in "
                + "namespaces.users (generate-registration)")
    }
}
