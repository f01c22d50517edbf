import PresenceModel

/// What a client's filter says of presence: the `presence` part of a Matrix filter.
///
/// Spec: client-server API, filtering. Other parts, `event_fields` and `event_format` among them, are about room events
/// and are not looked at. A part that is not of the right kind is as if it were not there: refusing the filter is the
/// homeserver's business.
public struct SyncFilter: Hashable, Sendable {
    /// Everything passes.
    public static let everything = SyncFilter(limit: nil, types: nil, notTypes: [], senders: nil, notSenders: [])

    /// The most events of one answer, 0 or more: the latest pass. `nil`: all.
    public let limit: Int?
    private let types: [String]?
    private let notTypes: [String]
    private let senders: Set<UserID>?
    private let notSenders: Set<UserID>

    private init(limit: Int?, types: [String]?, notTypes: [String], senders: Set<UserID>?, notSenders: Set<UserID>) {
        self.limit = limit
        self.types = types
        self.notTypes = notTypes
        self.senders = senders
        self.notSenders = notSenders
    }

    /// - Parameter bytes: a whole filter, as `GET …/filter/{id}` answers it or as it stands in the query.
    /// - Returns: `nil` if it is no JSON object.
    public init?(decoding bytes: [UInt8]) {
        guard let object = (try? JSONParser.lenient.parse(bytes))?.value.object else { return nil }
        let part = object["presence"]?.object ?? JSONObject()
        self.init(
            limit: part["limit"]?.integer.map { Int(max(0, $0)) }, types: SyncFilter.texts(part["types"]),
            notTypes: SyncFilter.texts(part["not_types"]) ?? [], senders: SyncFilter.users(part["senders"]),
            notSenders: SyncFilter.users(part["not_senders"]) ?? [])
    }

    /// No presence passes, whoever's: there is nothing to put into the answer.
    public var blocksEverything: Bool { !allowsType || limit == 0 || senders?.isEmpty == true }

    /// Whether presence of `sender` passes. An exclusion goes before an inclusion.
    public func allows(_ sender: UserID) -> Bool {
        guard !blocksEverything, !notSenders.contains(sender) else { return false }
        return senders?.contains(sender) ?? true
    }

    private var allowsType: Bool {
        let type = Array("m.presence".utf8)
        guard !notTypes.contains(where: { SyncFilter.matches(type, pattern: Array($0.utf8)) }) else { return false }
        return types?.contains { SyncFilter.matches(type, pattern: Array($0.utf8)) } ?? true
    }

    private static func texts(_ value: JSONValue?) -> [String]? { value?.array?.compactMap(\.string) }

    /// What is no user cannot send.
    private static func users(_ value: JSONValue?) -> Set<UserID>? {
        texts(value).map { Set($0.compactMap { try? UserID(parsing: $0) }) }
    }

    /// `*` stands for any bytes, none among them; at most one look back, so the time is bounded by the product of lengths.
    private static func matches(_ text: [UInt8], pattern: [UInt8]) -> Bool {
        var (place, here) = (0, 0)
        var star: (pattern: Int, text: Int)?
        while place < text.count {
            if here < pattern.count, pattern[here] == UInt8(ascii: "*") {
                star = (here, place)
                here += 1
            } else if here < pattern.count, pattern[here] == text[place] {
                here += 1
                place += 1
            } else if let latest = star {
                here = latest.pattern + 1
                place = latest.text + 1
                star = (latest.pattern, place)
            } else {
                return false
            }
        }
        return pattern[here...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
