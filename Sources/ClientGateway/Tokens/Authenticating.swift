import MatrixHTTP
import MatrixWire
import PresenceModel

/// Who sends a request to the client endpoints.
public struct Caller: Hashable, Sendable {
    /// What kind of account it is.
    public enum Kind: Hashable, Sendable {
        /// Somebody with a device.
        case user
        /// A guest, with a device.
        case guest
        /// No device: an application service, for itself or in a user's name. What it does is no activity of the user.
        case applicationService
    }

    /// Who, and on which device; of an application service one that stands for it.
    public var key: DeviceKey
    /// What kind of account it is.
    public var kind: Kind

    /// A caller as given.
    public init(key: DeviceKey, kind: Kind) {
        self.key = key
        self.kind = kind
    }
}

/// Says whose an access token is: a file of our own, or the homeserver.
public protocol Authenticating: Sendable {
    /// Who sends `request`, by its access token.
    /// - Throws: 401 in Synapse's words without a token that is good; 502, 503 or 504 if it cannot be told now; or the
    ///   refusal of the homeserver as it is.
    func caller(of request: MatrixRequest) async throws(MatrixErrorBody) -> Caller

    /// Whose `token` is that came some other way than with a request of HTTP.
    /// - Throws: as ``caller(of:)``.
    func caller(presenting token: String) async throws(MatrixErrorBody) -> Caller

    /// Whether there is such a user here.
    func knows(_ user: UserID) async -> Bool
}

extension TokenSource: Authenticating {
    /// The device of a token of the file.
    public func caller(of request: MatrixRequest) async throws(MatrixErrorBody) -> Caller {
        try await caller(presenting: try request.accessToken())
    }

    /// The device of a token of the file.
    public func caller(presenting token: String) async throws(MatrixErrorBody) -> Caller {
        guard let key = authenticate(token) else {
            throw MatrixErrorBody(.unknownToken, "Invalid access token passed.", softLogout: false)
        }
        return Caller(key: key, kind: .user)
    }
}
