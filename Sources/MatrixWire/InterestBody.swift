import PresenceModel

/// The body of `PUT …/org.presenced/presence/interest`: `{"list":true}` or `{"groups"?:[…],"users"?:[…]}`, with
/// `"timeout_ms"?`.
public struct InterestBody: Hashable, Sendable {
    /// What the client wants to be kept posted on.
    public enum Scope: Hashable, Sendable {
        case wholeList
        /// Members of the groups, and the users.
        case some(groups: [GroupName], users: [UserID])
    }

    /// How long an interest holds that names no time.
    public static let timeoutMilliseconds: Int64 = 300_000
    /// More users in one body are refused.
    public static let usersLimit = 1000
    /// More groups in one body are refused.
    public static let groupsLimit = 64

    /// See ``Scope``.
    public var scope: Scope
    /// 1 or more; the engine cuts it to its limit.
    public var timeoutMilliseconds: Int64

    /// An interest as given.
    public init(scope: Scope, timeoutMilliseconds: Int64 = InterestBody.timeoutMilliseconds) {
        self.scope = scope
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// - Throws: what to answer: 400, or 413 for too many users or groups.
    public static func decode(_ bytes: [UInt8]) throws(MatrixErrorBody) -> InterestBody {
        let body = try ClientBody(bytes, keys: ["list", "groups", "users", "timeout_ms"])
        let wholeList = try body.flag("list")
        let groups = try body.groups("groups", limit: groupsLimit)
        let users = try body.users("users", limit: usersLimit)
        let isPartial = groups != nil || users != nil
        guard !(wholeList && isPartial) else {
            throw MatrixErrorBody(.badJSON, "list cannot go together with groups or users.")
        }
        guard wholeList || isPartial else {
            throw MatrixErrorBody(.missingParameter, "list, or groups or users, must say what the interest is in.")
        }
        let timeout = try body.integer("timeout_ms", in: 1...JSONValue.integerLimit)
        return InterestBody(
            scope: wholeList ? .wholeList : .some(groups: groups ?? [], users: users ?? []),
            timeoutMilliseconds: timeout ?? timeoutMilliseconds)
    }
}
