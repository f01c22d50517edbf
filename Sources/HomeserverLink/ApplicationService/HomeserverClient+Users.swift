import MatrixWire
import PresenceModel

// Presence, accounts and log-ins, in the name of users. Spec: client-server API, presence, registration, profiles, log-in;
// application service API, identity assertion and server admin style permissions.
extension HomeserverClient {
    /// Sets a user's state and text; `nil` clears the text.
    func putPresence(_ state: PublishedState, text: String?, of user: UserID) async throws(HomeserverTrouble) {
        var content = JSONObject()
        content["presence"] = .string(state.homeserverWord)
        if let text { content["status_msg"] = .string(text) }
        let name = PercentEncoding.encode(user.text)
        try await put("presence/\(name)/status?user_id=\(name)", content, "presence")
    }

    /// What the homeserver says of a user's presence, to the user.
    func presence(of user: UserID) async throws(HomeserverTrouble) -> PresencePush {
        let name = PercentEncoding.encode(user.text)
        let target = "/_matrix/client/v3/presence/\(name)/status?user_id=\(name)"
        let answer = try await ask(HomeserverQuestion("GET", target, token: ownToken), "presence")
        guard let presence = PresencePush(decoding: answer, of: user) else {
            throw HomeserverTrouble(.malformed, "presence: no state in the answer")
        }
        return presence
    }

    /// Makes an account without a password or a device; one that is there stays.
    func register(_ localpart: String) async throws(HomeserverTrouble) {
        var content = JSONObject()
        content["type"] = "m.login.application_service"
        content["username"] = .string(localpart)
        content["inhibit_login"] = true
        let body = CanonicalJSON.encode(.object(content))
        do throws(HomeserverTrouble) {
            _ = try await ask(
                HomeserverQuestion("POST", "/_matrix/client/v3/register", token: ownToken, body: body), "register")
        } catch {
            guard error.isRefused("M_USER_IN_USE") else { throw error }
        }
    }

    /// - Parameter name: at most 255 bytes.
    func setDisplayName(_ name: String, of user: UserID) async throws(HomeserverTrouble) {
        var content = JSONObject()
        content["displayname"] = .string(name)
        let user = PercentEncoding.encode(user.text)
        try await put("profile/\(user)/displayname?user_id=\(user)", content, "displayname")
    }

    /// An access token for a user, of one device. Earlier tokens of that device should end by it; of Synapse they stay
    /// (measured).
    func logIn(_ user: UserID, device: String, deviceName: String) async throws(HomeserverTrouble) -> String {
        var identifier = JSONObject()
        identifier["type"] = "m.id.user"
        identifier["user"] = .string(user.text)
        var content = JSONObject()
        content["type"] = "m.login.application_service"
        content["identifier"] = .object(identifier)
        content["device_id"] = .string(device)
        content["initial_device_display_name"] = .string(deviceName)
        let body = CanonicalJSON.encode(.object(content))
        let answer = try await ask(
            HomeserverQuestion("POST", "/_matrix/client/v3/login", token: ownToken, body: body), "login")
        guard let token = answer["access_token"]?.string, !token.isEmpty else {
            throw HomeserverTrouble(.malformed, "login: no token in the answer")
        }
        guard answer["user_id"]?.string == user.text else {
            throw HomeserverTrouble(.malformed, "login: a token of somebody else")
        }
        return token
    }

    private func put(_ target: String, _ content: JSONObject, _ name: String) async throws(HomeserverTrouble) {
        let body = CanonicalJSON.encode(.object(content))
        _ = try await ask(
            HomeserverQuestion("PUT", "/_matrix/client/v3/\(target)", token: ownToken, body: body), name)
    }
}

extension HomeserverTrouble {
    /// The homeserver says no, in these words.
    func isRefused(_ word: String) -> Bool {
        if case .refused(_, MatrixErrorCode(rawValue: word)) = code { true } else { false }
    }
}

extension PublishedState {
    /// What every homeserver takes.
    fileprivate var homeserverWord: String {
        switch self {
        case .online, .freeForChat: "online"
        case .unavailable, .busy: "unavailable"
        case .offline: "offline"
        }
    }
}
