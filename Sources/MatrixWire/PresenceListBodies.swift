import PresenceModel

/// The body of `PUT …/org.presenced/presence/list/{userId}`: `{"note"?:…,"acl"?:…,"groups"?:[…]}`. No body is `{}`.
public struct PresenceListEntryBody: Hashable, Sendable {
    /// More groups in one body are refused.
    public static let groupsLimit = 64

    /// Words to the one asked, ``PresenceModel/EntryText``; `nil` for none.
    public var note: String?
    /// What the client wants remembered, ``PresenceModel/EntryText``; `nil` for nothing.
    public var acl: String?
    /// The groups that the entry is to be in, and in no other; `nil`: as it is.
    public var groups: [GroupName]?

    /// An entry as given.
    public init(note: String? = nil, acl: String? = nil, groups: [GroupName]? = nil) {
        self.note = note
        self.acl = acl
        self.groups = groups
    }

    /// - Throws: what to answer: 400, or 413 for a text over its limit.
    public static func decode(_ bytes: [UInt8]) throws(MatrixErrorBody) -> PresenceListEntryBody {
        let body = try ClientBody(bytes, keys: ["note", "acl", "groups"], mayBeAbsent: true)
        return PresenceListEntryBody(
            note: try body.text("note", limitBytes: EntryText.noteLimitBytes),
            acl: try body.text("acl", limitBytes: EntryText.aclLimitBytes),
            groups: try body.groups("groups", limit: groupsLimit))
    }
}

/// The body of `PUT …/org.presenced/presence/list/groups/{name}`: `{"name"?:…}`. No body is `{}`.
public struct PresenceGroupBody: Hashable, Sendable {
    /// What the group is to be called from now on; `nil`: it is only to be there.
    public var name: GroupName?

    /// A body as given.
    public init(name: GroupName?) { self.name = name }

    /// - Throws: what to answer: 400.
    public static func decode(_ bytes: [UInt8]) throws(MatrixErrorBody) -> PresenceGroupBody {
        let body = try ClientBody(bytes, keys: ["name"], mayBeAbsent: true)
        guard let text = try body.string("name") else { return PresenceGroupBody(name: nil) }
        guard let name = try? GroupName(parsing: text) else { throw .notAGroupName }
        return PresenceGroupBody(name: name)
    }
}

/// The body of `PUT …/org.presenced/presence/list/policy`: `{"policy":…}`, a ``PresenceModel/ListPolicy`` or `null`.
public struct ListPolicyBody: Hashable, Sendable {
    /// `nil`: what the configuration says.
    public var policy: ListPolicy?

    /// A body as given.
    public init(policy: ListPolicy?) { self.policy = policy }

    /// - Throws: what to answer: 400.
    public static func decode(_ bytes: [UInt8]) throws(MatrixErrorBody) -> ListPolicyBody {
        let body = try ClientBody(bytes, keys: ["policy"])
        guard let value = body.value("policy") else {
            throw MatrixErrorBody(.missingParameter, "policy is missing; null stands for the server's.")
        }
        if value.isNull { return ListPolicyBody(policy: nil) }
        return ListPolicyBody(policy: try body.word("policy", as: ListPolicy.self))
    }

    /// `{"policy":…}`
    public func encode() -> [UInt8] {
        CanonicalJSON.encode(["policy": policy.map { .string($0.rawValue) } ?? .null])
    }
}

extension MatrixErrorBody {
    /// A text that should have been the name of a group.
    public static let notAGroupName = MatrixErrorBody(
        .invalidParameter,
        "The name of a group must have 1 to \(GroupName.limitBytes) bytes and no control characters.")
}
