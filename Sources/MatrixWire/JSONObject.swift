/// The members of one JSON object, each key once, in document order.
///
/// Lookup walks the members: Matrix objects are small, and a decoder asks for a handful of keys.
public struct JSONObject: Sendable {
    /// One key and its value.
    public struct Member: Sendable {
        /// Unescaped.
        public let key: String
        /// What stands under the key.
        public var value: JSONValue
    }

    /// In document order.
    public private(set) var members: [Member] = []

    /// `{}`.
    public init() {}

    /// For the parser, which has seen to it that no key repeats.
    init(distinct members: [Member]) { self.members = members }

    /// The number of members.
    public var count: Int { members.count }

    /// True for `{}`.
    public var isEmpty: Bool { members.isEmpty }

    /// Makes room for `capacity` members.
    public mutating func reserveCapacity(_ capacity: Int) { members.reserveCapacity(capacity) }

    /// The value under `key`. Setting replaces in place, appends, or (with `nil`) removes.
    public subscript(key: String) -> JSONValue? {
        get {
            for member in members where member.key.hasSameBytes(as: key) { return member.value }
            return nil
        }
        set {
            let index = members.firstIndex { $0.key.hasSameBytes(as: key) }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (nil, let value?): append(key: key, value: value)
            case (let index?, nil): members.remove(at: index)
            case (nil, nil): break
            }
        }
    }

    /// Members in the order of canonical JSON: keys by Unicode code point.
    var canonicalMembers: [Member] {
        for (member, next) in zip(members, members.dropFirst()) where !member.key.precedesInBytes(next.key) {
            return members.sorted { $0.key.precedesInBytes($1.key) }
        }
        return members
    }

    /// For a key that is not there yet.
    mutating func append(key: String, value: JSONValue) { members.append(Member(key: key, value: value)) }
}

extension JSONObject: Equatable {
    /// Equal whatever the order of the members.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left.canonicalMembers, right.canonicalMembers).allSatisfy { left, right in
            left.key.hasSameBytes(as: right.key) && left.value == right.value
        }
    }
}
