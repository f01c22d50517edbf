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
    /// - Parameters:
    ///   - name: cut to what homeservers take.
    ///   - picture: taken if it is `mxc:`, and left out otherwise.
    /// - Throws: where there is no account afterwards, or its name may not have been taken. A homeserver that does not
    ///   let names be set has its way.
    public func makeAccount(
        _ user: UserID, name: String?, picture: String?
    ) async throws(HomeserverTrouble) {
        do throws(HomeserverTrouble) {
            try await client.register(String(user.localpart))
        } catch {
            guard error.isRefused("M_EXCLUSIVE") || error.isRefusal(401) else { throw error }
            throw HomeserverTrouble(
                error.code,
                "\(error.message): the homeserver does not let the application service have that user; make the "
                    + "registration anew with generate-registration, and restart the homeserver")
        }
        if let name = name.flatMap({ StatusText.truncating($0, toBytes: 255) }) {
            try await unlessRefused { () async throws(HomeserverTrouble) in
                try await client.setDisplayName(name, of: user)
            }
        }
        if let picture, picture.hasPrefix("mxc://"), picture.utf8.count <= 1000 {
            try await unlessRefused { () async throws(HomeserverTrouble) in
                try await client.setAvatar(picture, of: user)
            }
        }
    }

    private func unlessRefused(
        _ act: () async throws(HomeserverTrouble) -> Void
    ) async throws(HomeserverTrouble) {
        do throws(HomeserverTrouble) {
            try await act()
        } catch {
            guard case .refused = error.code else { throw error }
        }
    }
}
