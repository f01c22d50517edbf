import PresenceModel

/// What presenced does at the homeserver in the name of users, as their application service: their presence, and accounts
/// for those who have none.
public struct ApplicationServiceUsers: Sendable {
    private let client: HomeserverClient

    /// - Parameter registration: whose namespaces hold the users.
    public init(registration: Registration, homeserver: any HomeserverAsking) {
        client = HomeserverClient(
            homeserver: homeserver, ownToken: registration.ownToken, id: registration.id, adminToken: nil)
    }

    /// Sets a user's state and text; `nil` clears the text. The homeserver takes it for activity, and for gone after a
    /// minute without another word.
    public func put(_ state: PublishedState, text: String?, of user: UserID) async throws(HomeserverTrouble) {
        try await client.putPresence(state, text: text, of: user)
    }

    /// How a user is, as the homeserver tells the user themself.
    public func presence(of user: UserID) async throws(HomeserverTrouble) -> Presence {
        let push = try await client.presence(of: user)
        return Presence(state: push.state, statusText: push.statusText)
    }

    /// Makes an account that is the service's own, with what is known of its owner. Done twice, it is done once.
    ///
    /// - Parameter name: as ``setName(_:of:)`` takes it; `nil`: none is known.
    /// - Throws: where there is no account afterwards, or its name may not have been taken.
    public func makeAccount(_ user: UserID, name: String?) async throws(HomeserverTrouble) {
        do throws(HomeserverTrouble) {
            try await client.register(String(user.localpart))
        } catch {
            guard error.isRefused("M_EXCLUSIVE") || error.isRefusal(401) else { throw error }
            throw HomeserverTrouble(
                error.code,
                "\(error.message): the homeserver does not let the application service have that user; make the "
                    + "registration anew with generate-registration, and restart the homeserver")
        }
        if let name { try await setName(name, of: user) }
    }

    /// Sets what a user of the service's own is called.
    ///
    /// - Parameter name: cut to what homeservers take.
    /// - Throws: where it may not have been taken. A homeserver that does not let names be set has its way.
    public func setName(_ name: String, of user: UserID) async throws(HomeserverTrouble) {
        guard let name = StatusText.truncating(name, toBytes: 255) else { return }
        do throws(HomeserverTrouble) {
            try await client.setDisplayName(name, of: user)
        } catch {
            guard case .refused = error.code else { throw error }
        }
    }
}
