/// Writes JSON of a known shape, append-only, with the escaping of canonical JSON and no blanks.
///
/// Commas and colons come by themselves. Whoever writes the keys in sorted order gets canonical JSON.
public struct JSONWriter: Sendable {
    /// What has been written.
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// - Parameter capacity: bytes to make room for.
    public init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    /// `{`
    public mutating func beginObject() { open(UInt8(ascii: "{")) }

    /// `}`
    public mutating func endObject() { close(UInt8(ascii: "}")) }

    /// `[`
    public mutating func beginArray() { open(UInt8(ascii: "[")) }

    /// `]`
    public mutating func endArray() { close(UInt8(ascii: "]")) }

    /// The key of the next value, one that needs no escaping.
    public mutating func key(_ key: StaticString) {
        separate()
        appendQuoted(plain: UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// The key of the next value, whatever it holds.
    public mutating func key(escaping key: String) {
        separate()
        appendQuoted(key)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A string.
    public mutating func string(_ text: String) {
        separate()
        appendQuoted(text)
    }

    /// A whole number; canonical within ±``JSONValue/integerLimit``.
    public mutating func integer(_ integer: Int64) {
        separate()
        appendDigits(of: integer)
    }

    /// `true` or `false`.
    public mutating func bool(_ bool: Bool) { literal(bool ? "true" : "false") }

    /// `null`
    public mutating func null() { literal("null") }

    /// Any value, in canonical form.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .integer(let value): integer(value)
        case .fraction(let text): raw(text.utf8)
        case .string(let text): string(text)
        case .array(let values):
            beginArray()
            for element in values { self.value(element) }
            endArray()
        case .object(let value): object(value)
        }
    }

    /// An object in canonical form, without the members that are named.
    public mutating func object(_ object: JSONObject, leavingOut left: [String] = []) {
        beginObject()
        for member in object.canonicalMembers where left.isEmpty || !left.contains(member.key) {
            key(escaping: member.key)
            value(member.value)
        }
        endObject()
    }

    /// One value that is JSON already.
    public mutating func raw(_ json: some Collection<UInt8>) {
        separate()
        bytes.append(contentsOf: json)
    }

    private mutating func literal(_ word: StaticString) {
        separate()
        bytes.append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    /// Before a value or a key; what follows that value is separated from it.
    @inline(__always)
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func appendQuoted(_ text: String) {
        var text = text
        text.withUTF8 { text in
            let firstEscape = text.firstEscape(from: 0)
            guard firstEscape < text.count else { return appendQuoted(plain: text) }
            bytes.append(UInt8(ascii: "\""))
            appendEscaped(text, firstEscape: firstEscape)
            bytes.append(UInt8(ascii: "\""))
        }
    }

    /// For text without escapes, which is nearly all: one look at the array instead of three.
    @inline(__always)
    private mutating func appendQuoted(plain text: UnsafeBufferPointer<UInt8>) {
        bytes.append(addingCapacity: text.count + 2) { output in
            output.append(UInt8(ascii: "\""))
            output.withUnsafeMutableBufferPointer { buffer, count in
                _ = buffer[count...].initialize(fromContentsOf: text)
                count += text.count
            }
            output.append(UInt8(ascii: "\""))
        }
    }

    /// Copies runs that stand for themselves, and escapes what lies between.
    private mutating func appendEscaped(_ text: UnsafeBufferPointer<UInt8>, firstEscape: Int) {
        var copied = 0
        var index = firstEscape
        while true {
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[copied..<index]))
            guard index < text.count else { return }
            appendEscape(of: text[index])
            copied = index + 1
            index = text.firstEscape(from: copied)
        }
    }

    private mutating func appendEscape(of byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        default:
            bytes.append(contentsOf: "u00".utf8)
            bytes.append(UInt8(ascii: "0") + byte >> 4)
            bytes.append((byte & 0xF).lowercaseHexDigit)
        }
    }

    private mutating func appendDigits(of integer: Int64) {
        if integer < 0 { bytes.append(UInt8(ascii: "-")) }
        let start = bytes.count
        var rest = integer.magnitude
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The index of the first byte at or after `start` that needs an escape, or `count`. Looks at eight at a time.
    fileprivate func firstEscape(from start: Int) -> Int {
        let high: UInt64 = 0x8080_8080_8080_8080
        let ones: UInt64 = 0x0101_0101_0101_0101
        var index = start
        while index &+ 8 <= count {
            let eight = UnsafeRawBufferPointer(self).loadUnaligned(fromByteOffset: index, as: UInt64.self)
            let quotes = eight ^ (ones &* 0x22)
            let backslashes = eight ^ (ones &* 0x5C)
            let special = (eight &- ones &* 0x20) | (quotes &- ones) | (backslashes &- ones)
            guard special & ~eight & high == 0 else { break }
            index &+= 8
        }
        while index < count, !self[index].needsEscape { index &+= 1 }
        return index
    }
}

extension UInt8 {
    /// Canonical JSON escapes these and nothing else.
    @inline(__always)
    fileprivate var needsEscape: Bool { self < 0x20 || self == UInt8(ascii: "\"") || self == UInt8(ascii: "\\") }

    /// The digit of a value below 16.
    var lowercaseHexDigit: UInt8 { self < 10 ? UInt8(ascii: "0") + self : UInt8(ascii: "a") + self - 10 }
}
