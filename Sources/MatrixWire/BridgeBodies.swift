/// What a user hands over so that the bridge can speak in their name: `{"token":…}` or `{"identity":{…}}`.
public enum BridgeCredentialBody: Sendable {
    /// An access token that the social service takes.
    case token(String)
    /// An identity, not verified.
    case identity(JSONValue)

    /// A longer token is none.
    public static let tokenLimitBytes = 4096
    static let keys = ["token", "identity"]

    /// - Throws: what to answer: 400, or 413.
    public static func decode(_ bytes: [UInt8]) throws(MatrixErrorBody) -> BridgeCredentialBody {
        guard let credential = try read(try ClientBody(bytes, keys: keys)) else {
            throw MatrixErrorBody(.missingParameter, "token or identity is missing.")
        }
        return credential
    }

    static func read(_ body: ClientBody) throws(MatrixErrorBody) -> BridgeCredentialBody? {
        let token = try body.text("token", limitBytes: tokenLimitBytes)
        guard !body.has("identity") || token == nil else {
            throw MatrixErrorBody(.badJSON, "token and identity cannot go together.")
        }
        if let token {
            guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw MatrixErrorBody(.invalidParameter, "token must be visible ASCII without blanks.")
            }
            return .token(token)
        }
        guard let identity = body.value("identity") else { return nil }
        guard identity.object != nil else { throw MatrixErrorBody(.badJSON, "identity must be an object.") }
        return .identity(identity)
    }
}

/// The body of `PUT …/org.presenced/bridge/link`: `{"address","timestamp","auth_chain"}`, and a
/// ``BridgeCredentialBody`` at will.
public struct BridgeLinkBody: Sendable {
    /// As written.
    public var address: String
    /// Milliseconds since the epoch, in decimal; in the body a number or a text.
    public var timestamp: String
    /// An array of links, not verified.
    public var chain: JSONValue
    /// `nil` if left out.
    public var credential: BridgeCredentialBody?

    /// - Throws: what to answer: 400, or 413.
    public static func decode(_ bytes: [UInt8]) throws(MatrixErrorBody) -> BridgeLinkBody {
        let body = try ClientBody(bytes, keys: ["address", "timestamp", "auth_chain"] + BridgeCredentialBody.keys)
        guard let address = try body.text("address", limitBytes: 255) else {
            throw MatrixErrorBody(.missingParameter, "address is missing.")
        }
        let timestamp: String
        switch body.value("timestamp") {
        case .integer(let number): timestamp = "\(number)"
        case .string(let text): timestamp = text
        case nil: throw MatrixErrorBody(.missingParameter, "timestamp is missing.")
        default: throw MatrixErrorBody(.badJSON, "timestamp must be a number of milliseconds.")
        }
        guard let chain = body.value("auth_chain") else {
            throw MatrixErrorBody(.missingParameter, "auth_chain is missing.")
        }
        guard chain.array != nil else { throw MatrixErrorBody(.badJSON, "auth_chain must be a list of links.") }
        return BridgeLinkBody(
            address: address, timestamp: timestamp, chain: chain, credential: try BridgeCredentialBody.read(body))
    }
}

/// The body of `PUT …/admin/v1/bridge/links/{user}`: `{"address"}`.
public enum BridgeAddressBody {
    /// - Throws: what to answer: 400.
    public static func decode(_ bytes: [UInt8]) throws(MatrixErrorBody) -> String {
        let body = try ClientBody(bytes, keys: ["address"])
        guard let address = try body.text("address", limitBytes: 255) else {
            throw MatrixErrorBody(.missingParameter, "address is missing.")
        }
        return address
    }
}

/// The body of `PUT …/org.presenced/bridge/settings`: `{"participates"?: true|false|null, "privacy"?: text}`; what is left
/// out stays.
public struct BridgeSettingsBody: Hashable, Sendable {
    /// `nil`: left out; `.some(nil)`: `null`, as the server is configured.
    public var participates: Bool??
    /// `nil`: left out.
    public var privacy: String?

    /// - Throws: what to answer: 400.
    public static func decode(_ bytes: [UInt8]) throws(MatrixErrorBody) -> BridgeSettingsBody {
        let body = try ClientBody(bytes, keys: ["participates", "privacy"])
        var settings = BridgeSettingsBody()
        switch body.value("participates") {
        case nil: break
        case .null: settings.participates = .some(nil)
        case .bool(let choice): settings.participates = .some(choice)
        default: throw MatrixErrorBody(.badJSON, "participates must be true, false or null.")
        }
        settings.privacy = try body.string("privacy")
        guard settings.participates != nil || settings.privacy != nil else {
            throw MatrixErrorBody(.missingParameter, "participates or privacy is missing.")
        }
        return settings
    }
}
