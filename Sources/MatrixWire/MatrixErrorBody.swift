/// The `errcode` of a refusal. Any text is possible from others; ours are the constants.
///
/// Spec: client-server API, standard error response.
public struct MatrixErrorCode: RawRepresentable, Hashable, Sendable {
    /// `M_…`
    public let rawValue: String

    /// Any text.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The body is not JSON. 400.
    public static let notJSON = MatrixErrorCode(rawValue: "M_NOT_JSON")
    /// JSON, but not of the right shape. 400.
    public static let badJSON = MatrixErrorCode(rawValue: "M_BAD_JSON")
    /// Something required is not there. 400.
    public static let missingParameter = MatrixErrorCode(rawValue: "M_MISSING_PARAM")
    /// Something has a value that it may not have. 400.
    public static let invalidParameter = MatrixErrorCode(rawValue: "M_INVALID_PARAM")
    /// No access token. 401.
    public static let missingToken = MatrixErrorCode(rawValue: "M_MISSING_TOKEN")
    /// An access token that is not, or no longer, good. 401.
    public static let unknownToken = MatrixErrorCode(rawValue: "M_UNKNOWN_TOKEN")
    /// Not yours to do or to see. 403.
    public static let forbidden = MatrixErrorCode(rawValue: "M_FORBIDDEN")
    /// No such user, or no such state. 404.
    public static let notFound = MatrixErrorCode(rawValue: "M_NOT_FOUND")
    /// No such path (404) or method (405).
    public static let unrecognized = MatrixErrorCode(rawValue: "M_UNRECOGNIZED")
    /// The body, or a part of it, is over a limit. 413.
    public static let tooLarge = MatrixErrorCode(rawValue: "M_TOO_LARGE")
    /// Too many requests. 429.
    public static let limitExceeded = MatrixErrorCode(rawValue: "M_LIMIT_EXCEEDED")
    /// A request between servers that is not well signed. 401.
    public static let unauthorized = MatrixErrorCode(rawValue: "M_UNAUTHORIZED")
    /// The account is locked. 401.
    public static let userLocked = MatrixErrorCode(rawValue: "M_USER_LOCKED")
    /// The account is suspended. 403.
    public static let userSuspended = MatrixErrorCode(rawValue: "M_USER_SUSPENDED")
    /// Anything else. 400, as Synapse has it.
    public static let unknown = MatrixErrorCode(rawValue: "M_UNKNOWN")

    /// The HTTP status that usually goes with the code.
    public var usualStatus: Int {
        switch self {
        case .missingToken, .unknownToken, .unauthorized, .userLocked: 401
        case .forbidden, .userSuspended: 403
        case .notFound, .unrecognized: 404
        case .tooLarge: 413
        case .limitExceeded: 429
        default: 400
        }
    }
}

/// The body of a refusal, and the HTTP status it travels with.
///
/// Spec: client-server API, standard error response.
public struct MatrixErrorBody: Error, Hashable, Sendable {
    /// What programs go by.
    public var code: MatrixErrorCode
    /// What people read.
    public var message: String
    /// The HTTP status.
    public var status: Int
    /// With ``MatrixErrorCode/unknownToken``: the session lives on, the client may log in again into it.
    public var softLogout: Bool?
    /// With ``MatrixErrorCode/limitExceeded``: when to come again.
    public var retryAfterMilliseconds: Int64?
    /// The body as another server wrote it: sent as it is, in place of one made of the above.
    public var original: [UInt8]?

    /// - Parameter status: the code's usual one if left out.
    public init(
        _ code: MatrixErrorCode, _ message: String, status: Int? = nil, softLogout: Bool? = nil,
        retryAfterMilliseconds: Int64? = nil
    ) {
        self.code = code
        self.message = message
        self.status = status ?? code.usualStatus
        self.softLogout = softLogout
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }

    /// What another server answered with `status`; `nil` if it is not of the standard form.
    public init?(decoding body: [UInt8], status: Int) {
        guard let value = try? JSONParser.lenient.parse(body).value, let code = value["errcode"]?.string else {
            return nil
        }
        self.init(
            MatrixErrorCode(rawValue: code), value["error"]?.string ?? "", status: status,
            softLogout: value["soft_logout"]?.bool, retryAfterMilliseconds: value["retry_after_ms"]?.integer)
        original = body
    }

    /// `{"errcode":…,"error":…,"retry_after_ms"?:…,"soft_logout"?:…}`
    public func encode() -> [UInt8] {
        if let original { return original }
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("errcode")
        writer.string(code.rawValue)
        writer.key("error")
        writer.string(message)
        if let retryAfterMilliseconds {
            writer.key("retry_after_ms")
            writer.integer(retryAfterMilliseconds)
        }
        if let softLogout {
            writer.key("soft_logout")
            writer.bool(softLogout)
        }
        writer.endObject()
        return writer.bytes
    }
}
