import MatrixWire

/// What is different in every run, and therefore says nothing when it differs: tokens, identifiers, positions in a
/// stream, ages and times, and the order of lists that have none.
///
/// `Fixtures/Matrix`, README, what varies between runs.
enum VaryingParts {
    /// Members whose value varies; that they are there, and of which kind they are, does not.
    private static let keys: Set<String> = [
        "access_token", "device_id", "event_id", "last_active_ago", "next_batch", "prev_batch", "refresh_token",
        "room_id", "since", "transaction_id", "txn_id",
    ]

    /// The value with all that varies replaced by what kind of thing it was.
    static func removed(from value: JSONValue) -> JSONValue { removed(from: value, inPresence: false) }

    private static func removed(from value: JSONValue, inPresence: Bool) -> JSONValue {
        switch value {
        case .null, .bool, .integer, .fraction:
            return value
        case .string(let text):
            return .string(isOpaqueIdentifier(text) ? "\(text.prefix(1))…" : sortingChoices(in: text))
        case .array(let elements):
            return .array(elements.map { removed(from: $0, inPresence: false) })
        case .object(let object):
            var result = JSONObject()
            var opaqueCount = 0
            for member in object.members {
                if isOpaqueIdentifier(member.key) {
                    opaqueCount += 1
                    result["\(member.key.prefix(1))\(opaqueCount)"] = removed(from: member.value, inPresence: false)
                } else if varies(member.key), let kind = kind(of: member.value) {
                    result[member.key] = .string(kind)
                } else {
                    let cleaned = removed(from: member.value, inPresence: member.key == "presence")
                    let hasOrder = !(inPresence && member.key == "events")
                    result[member.key] = hasOrder ? cleaned : sorted(cleaned)
                }
            }
            return .object(result)
        }
    }

    private static func varies(_ key: String) -> Bool {
        keys.contains(key) || key.hasSuffix("_ts") || key.hasSuffix("_ms")
    }

    private static func kind(of value: JSONValue) -> String? {
        switch value {
        case .integer, .fraction: "a number"
        case .string: "a text"
        case .null, .bool, .array, .object: nil
        }
    }

    /// Room and event identifiers: a sigil and a long run of characters that mean nothing.
    private static func isOpaqueIdentifier(_ text: String) -> Bool {
        guard text.utf8.count >= 18, text.hasPrefix("!") || text.hasPrefix("$") else { return false }
        return text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    /// `… must be one of ['b', 'a']`: the order changes with every start of the recorded server.
    private static func sortingChoices(in text: String) -> String {
        guard let start = text.firstRange(of: "must be one of [")?.upperBound,
            let end = text[start...].lastIndex(of: "]")
        else { return text }
        let choices = text[start..<end].split(separator: ", ").sorted()
        return text[..<start] + choices.joined(separator: ", ") + text[end...]
    }

    private static func sorted(_ value: JSONValue) -> JSONValue {
        guard let elements = value.array else { return value }
        let keyed = elements.map { (bytes: CanonicalJSON.encode($0), element: $0) }
        return .array(keyed.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }.map(\.element))
    }
}
