/// One pass over JSON bytes. Recursive, at most ``JSONParser/maxDepth`` deep.
struct JSONScanner {
    let bytes: UnsafeBufferPointer<UInt8>
    let rules: JSONParser
    var offset = 0
    /// Nothing that canonical JSON would write differently has been seen.
    var isCanonical = true

    init(_ bytes: UnsafeBufferPointer<UInt8>, rules: JSONParser) {
        self.bytes = bytes
        self.rules = rules
    }

    /// Past the end stands a NUL, which may stand nowhere in JSON: no other bounds check is needed.
    @inline(__always)
    func byte(at offset: Int) -> UInt8 { offset < bytes.count ? bytes[offset] : 0 }

    /// The whole input.
    mutating func document() throws(JSONError) -> JSONValue {
        skipBlanks()
        let value = try value(depth: 0)
        skipBlanks()
        guard offset == bytes.count else { throw flaw(.trailingBytes) }
        return value
    }

    func flaw(_ reason: JSONError.Reason) -> JSONError { JSONError(reason: reason, offset: offset) }

    /// What to say of the byte at `offset`, which should not be there.
    func unexpected() -> JSONError { flaw(offset < bytes.count ? .malformed : .unexpectedEnd) }

    @inline(__always)
    mutating func skipBlanks() {
        while isBlank(byte(at: offset)) {
            isCanonical = false
            offset += 1
        }
    }

    private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        switch byte(at: offset) {
        case UInt8(ascii: "\""): return .string(try string().text)
        case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: throw unexpected()
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for index in 0..<word.utf8CodeUnitCount {
            guard byte(at: offset) == word.utf8Start[index] else { throw unexpected() }
            offset += 1
        }
        return value
    }

    private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
        guard depth <= rules.maxDepth else { throw flaw(.tooDeep) }
        offset += 1
        skipBlanks()
        var values: [JSONValue] = []
        if byte(at: offset) == UInt8(ascii: "]") {
            offset += 1
            return values
        }
        while true {
            values.append(try value(depth: depth))
            skipBlanks()
            switch byte(at: offset) {
            case UInt8(ascii: ","): offset += 1
            case UInt8(ascii: "]"):
                offset += 1
                return values
            default: throw unexpected()
            }
            skipBlanks()
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONObject {
        guard depth <= rules.maxDepth else { throw flaw(.tooDeep) }
        let start = offset
        offset += 1
        skipBlanks()
        var members: [JSONObject.Member] = []
        if byte(at: offset) == UInt8(ascii: "}") {
            offset += 1
            return JSONObject(distinct: members)
        }
        members.reserveCapacity(8)
        var isAscending = true
        var lastKey: ScannedText?
        while true {
            guard byte(at: offset) == UInt8(ascii: "\"") else { throw unexpected() }
            let key = try string()
            if isAscending, let lastKey, !precedes(lastKey, key) { isAscending = false }
            lastKey = key
            skipBlanks()
            guard byte(at: offset) == UInt8(ascii: ":") else { throw unexpected() }
            offset += 1
            skipBlanks()
            members.append(JSONObject.Member(key: key.text, value: try value(depth: depth)))
            skipBlanks()
            let next = byte(at: offset)
            guard next == UInt8(ascii: ",") || next == UInt8(ascii: "}") else { throw unexpected() }
            offset += 1
            if next == UInt8(ascii: "}") { break }
            skipBlanks()
        }
        if !isAscending { try settleUnsorted(&members, objectAt: start) }
        return JSONObject(distinct: members)
    }

    /// Whether `left` comes strictly before `right` in canonical order.
    private func precedes(_ left: ScannedText, _ right: ScannedText) -> Bool {
        guard !left.hasEscapes, !right.hasEscapes else { return left.text.precedesInBytes(right.text) }
        return bytes[left.range].lexicographicallyPrecedes(bytes[right.range])
    }

    /// Finds repeated keys by sorting; ascending keys, the usual case, need not come here.
    private mutating func settleUnsorted(
        _ members: inout [JSONObject.Member], objectAt start: Int
    ) throws(JSONError) {
        isCanonical = false
        let order = members.indices.sorted { left, right in
            let (leftKey, rightKey) = (members[left].key, members[right].key)
            return leftKey.hasSameBytes(as: rightKey) ? left < right : leftKey.precedesInBytes(rightKey)
        }
        var superseded: Set<Int> = []
        for (index, next) in zip(order, order.dropFirst())
        where members[index].key.hasSameBytes(as: members[next].key) {
            superseded.insert(index)
        }
        guard !superseded.isEmpty else { return }
        guard rules.duplicateKeys == .lastWins else { throw JSONError(reason: .duplicateKey, offset: start) }
        members = members.enumerated().filter { !superseded.contains($0.offset) }.map(\.element)
    }
}

/// A string of the input, unescaped.
struct ScannedText {
    var text: String
    /// Where it stands in the input, without its quotes.
    var range: Range<Int>
    var hasEscapes: Bool
}
