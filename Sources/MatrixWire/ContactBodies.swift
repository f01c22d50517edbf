import PresenceModel

/// The body of `PUT …/org.presenced/contact_policy`, and of the answer to its `GET`:
/// `{"free_for_chat"|"online"|"busy"|"unavailable"|"offline":…}`, each `"anyone"`, `"list"`, `"nobody"` or
/// `{"group":name}`.
///
/// `hidden` is no key: it answers as `offline` does. `"refuse_invites"`, true or false: whether invitations that the rules
/// do not allow are left on the user's behalf.
public struct ContactPolicyBody: Hashable, Sendable {
    /// Those that are named; `nil` for the others.
    public var freeForChat: ContactRule?
    /// See ``freeForChat``.
    public var online: ContactRule?
    /// See ``freeForChat``.
    public var busy: ContactRule?
    /// See ``freeForChat``.
    public var unavailable: ContactRule?
    /// See ``freeForChat``.
    public var offline: ContactRule?
    /// `nil` if left out.
    public var refusesInvites: Bool?

    /// Nothing is named.
    public init() {}

    /// - Throws: what to answer: 400.
    public static func decode(_ bytes: [UInt8]) throws(MatrixErrorBody) -> ContactPolicyBody {
        let body = try ClientBody(
            bytes, keys: ["free_for_chat", "online", "busy", "unavailable", "offline", "refuse_invites"])
        var policy = ContactPolicyBody()
        policy.freeForChat = try rule("free_for_chat", in: body)
        policy.online = try rule("online", in: body)
        policy.busy = try rule("busy", in: body)
        policy.unavailable = try rule("unavailable", in: body)
        policy.offline = try rule("offline", in: body)
        if let value = body.value("refuse_invites") {
            guard let refuses = value.bool else {
                throw MatrixErrorBody(.badJSON, "refuse_invites must be true or false.")
            }
            policy.refusesInvites = refuses
        }
        return policy
    }

    /// What holds when those that are named have been replaced.
    public func applied(to old: ContactPolicy) -> ContactPolicy {
        var new = old
        if let freeForChat { new.freeForChat = freeForChat }
        if let online { new.online = online }
        if let busy { new.busy = busy }
        if let unavailable { new.unavailable = unavailable }
        if let offline { new.offline = offline }
        if let refusesInvites { new.refusesInvites = refusesInvites }
        return new
    }

    /// Every rule of `policy`.
    public static func encode(_ policy: ContactPolicy) -> [UInt8] {
        CanonicalJSON.encode([
            "free_for_chat": value(of: policy.freeForChat), "online": value(of: policy.online),
            "busy": value(of: policy.busy), "unavailable": value(of: policy.unavailable),
            "offline": value(of: policy.offline), "refuse_invites": .bool(policy.refusesInvites),
        ])
    }

    private static func rule(_ key: String, in body: ClientBody) throws(MatrixErrorBody) -> ContactRule? {
        guard let value = body.value(key) else { return nil }
        switch value {
        case .string("anyone"): return .anyone
        case .string("list"): return .list
        case .string("nobody"): return .nobody
        case .object(let object):
            guard object.count == 1, let text = object["group"]?.string else { break }
            guard let name = try? GroupName(parsing: text) else { throw .notAGroupName }
            return .group(name)
        default: break
        }
        throw MatrixErrorBody(.invalidParameter, "\(key) must be anyone, list, nobody or {\"group\": name}.")
    }

    private static func value(of rule: ContactRule) -> JSONValue {
        switch rule {
        case .anyone: "anyone"
        case .list: "list"
        case .nobody: "nobody"
        case .group(let name): ["group": .string(name.text)]
        }
    }
}

/// The body of `POST …/org.presenced/contact_policy/check`: `{"from"?:…,"to"?:…}`, users.
public struct ContactCheckBody: Hashable, Sendable {
    /// Who wants to open a chat; `nil` if left out.
    public var from: UserID?
    /// With whom; `nil` if left out.
    public var to: UserID?

    /// A question as given.
    public init(from: UserID?, to: UserID?) {
        self.from = from
        self.to = to
    }

    /// - Throws: what to answer: 400.
    public static func decode(_ bytes: [UInt8]) throws(MatrixErrorBody) -> ContactCheckBody {
        let body = try ClientBody(bytes, keys: ["from", "to"])
        let check = ContactCheckBody(from: try body.user("from"), to: try body.user("to"))
        guard check.from != nil || check.to != nil else {
            throw MatrixErrorBody(.missingParameter, "from or to is missing.")
        }
        return check
    }

    /// `{"allowed":…,"decided_here":…}`
    ///
    /// - Parameter decision: `nil` where another server decides.
    public static func encodeAnswer(_ decision: Bool?) -> [UInt8] {
        CanonicalJSON.encode(["allowed": .bool(decision ?? true), "decided_here": .bool(decision != nil)])
    }
}
