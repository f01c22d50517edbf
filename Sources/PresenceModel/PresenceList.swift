/// Where an entry of a presence list stands.
public enum EntryState: String, Hashable, Sendable, CaseIterable {
    /// Asked, not answered.
    case pending
    /// The other side lets us see them.
    case accepted
    /// Refused, revoked, or refused by policy; nobody there looks the same.
    case denied
}

/// What a request to see someone is answered with when the one asked does not answer themself.
public enum ListPolicy: String, Hashable, Sendable, CaseIterable {
    /// The request waits for an answer. The default.
    case ask
    /// Granted to who shares a room; others wait.
    case acceptSharedRoom = "accept_shared_room"
    /// Granted to everybody.
    case acceptAll = "accept_all"
    /// Denied to everybody; those who were granted before stay.
    case denyAll = "deny_all"
}

/// A group on a user's presence list: 1 to 64 UTF-8 bytes without control characters.
public struct GroupName: Hashable, Comparable, Sendable {
    /// The longest name, in UTF-8 bytes.
    public static let limitBytes = 64

    /// The name as it was parsed.
    public let text: String

    /// - Throws: ``IdentifierError``, naming the first rule broken.
    public init(parsing text: some StringProtocol) throws(IdentifierError) {
        guard !text.isEmpty else { throw .empty }
        guard text.utf8.count <= GroupName.limitBytes else { throw .tooLong(limitBytes: GroupName.limitBytes) }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { throw .forbiddenCharacter }
        self.text = String(text)
    }

    /// Equality of the bytes, also where Swift takes two texts for equal.
    public static func == (left: GroupName, right: GroupName) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    /// The order of the UTF-8 bytes.
    public static func < (left: GroupName, right: GroupName) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

extension GroupName: CustomStringConvertible {
    /// The name itself.
    public var description: String { text }
}

/// Limits of what goes with an entry of a presence list.
public enum EntryText {
    /// A note to the one asked; a longer one is refused, from another server it is cut at a character.
    public static let noteLimitBytes = 512
    /// An ACL pointer; a longer one is refused. It is remembered and not looked at.
    public static let aclLimitBytes = 255
}

/// What one server tells another about leave to see a user. Design: section 4.
public struct PermissionMessage: Hashable, Sendable {
    /// Which way it goes.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// From the observer's server: may they?
        case invite
        /// From the observed user's server: they may.
        case accept
        /// From the observed user's server: they may not, or no longer.
        case deny
    }

    /// What is said.
    public var kind: Kind
    /// Who is to be seen.
    public var observed: UserID
    /// Who wants to see.
    public var observer: UserID
    /// The number of the request, rising for each pair; an answer repeats it, so that an answer to an earlier request is
    /// known for one. `nil` from servers that do not number their requests.
    public var request: Int64?
    /// With ``Kind/invite``: words to the one asked, at most ``EntryText/noteLimitBytes``.
    public var note: String?

    /// A message with nothing checked.
    public init(_ kind: Kind, observed: UserID, observer: UserID, request: Int64? = nil, note: String? = nil) {
        self.kind = kind
        self.observed = observed
        self.observer = observer
        self.request = request
        self.note = note
    }

    /// The server that it is for.
    public var destination: ServerName { kind == .invite ? observed.server : observer.server }
    /// The only server that may say it.
    public var source: ServerName { kind == .invite ? observer.server : observed.server }
}
