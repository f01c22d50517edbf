/// One pass over a JSON object that comes in chunks of any cut: says where its parts begin and end, and builds nothing.
///
/// Strict by the grammar of RFC 8259, but for bytes above 0x7F in strings, which stand for themselves unchecked. Memory is
/// one flag for each open array or object, and what the caller asks to be captured; there is no recursion.
struct JSONWalk: Sendable {
    /// What the walk has just come past. The offset is behind it.
    enum Mark: Sendable {
        case objectBegins, objectEnds, arrayBegins, arrayEnds
        /// Between two members or elements.
        case comma
        /// A key, its quotes included.
        case key
        /// A value that is a string.
        case string
        /// A number, `true`, `false` or `null`.
        case scalar
        /// The byte at the offset may not stand there, or lies too deep.
        case flaw
    }

    /// Deeper nesting is a flaw. Synapse and its clients stop at a thousand.
    static let depthLimit = 1024

    private enum Expectation: Sendable {
        case value, valueOrEnd, key, keyOrEnd, colon, commaOrEnd, nothing
    }

    private enum Number: Sendable {
        case minus, zero, digits, point, fraction, exponent, exponentSign, exponentDigits

        var mayEnd: Bool {
            switch self {
            case .zero, .digits, .fraction, .exponentDigits: true
            default: false
            }
        }
    }

    private enum Token: Sendable {
        case none
        case string(isKey: Bool)
        case escape(isKey: Bool)
        case hex(isKey: Bool, left: Int)
        case word(StaticString, at: Int)
        case number(Number)
    }

    /// True for objects; the innermost is last.
    private var isObject: [Bool] = []
    private var expectation = Expectation.value
    private var token = Token.none

    /// Set before a string begins: keep it if it has at most this many bytes between its quotes; 0: do not.
    var captureLimit = 0
    /// The bytes between the quotes of the latest string, escapes and all; only right if ``hasCaptured``.
    private(set) var captured: [UInt8] = []
    /// The latest string was wanted and is kept.
    private(set) var hasCaptured = false

    /// Arrays and objects that are open.
    var depth: Int { isObject.count }

    /// The outermost object has ended.
    var isComplete: Bool { expectation == .nothing }

    /// Goes on to the end of the next part; `nil`: the chunk is used up. After a flaw the walk is over.
    mutating func next(in bytes: UnsafeBufferPointer<UInt8>, at offset: inout Int) -> Mark? {
        while offset < bytes.count {
            let byte = bytes[offset]
            switch token {
            case .none:
                guard !byte.isJSONBlank else { break }
                if let mark = begin(byte) {
                    if mark != .flaw { offset &+= 1 }
                    return mark
                }
            case .string(let isKey):
                let start = offset
                JSONWalk.skipPlain(bytes, &offset)
                capture(bytes, start..<offset)
                guard offset < bytes.count else { return nil }
                if bytes[offset] == UInt8(ascii: "\"") {
                    offset &+= 1
                    return end(isKey: isKey)
                }
                guard bytes[offset] == UInt8(ascii: "\\") else { return .flaw }
                capture(bytes, offset..<offset + 1)
                token = .escape(isKey: isKey)
            case .escape(let isKey):
                guard let following = JSONWalk.following(escape: byte, isKey: isKey) else { return .flaw }
                capture(bytes, offset..<offset + 1)
                token = following
            case .hex(let isKey, let left):
                guard byte.hexDigitValue != nil else { return .flaw }
                capture(bytes, offset..<offset + 1)
                token = left > 1 ? .hex(isKey: isKey, left: left - 1) : .string(isKey: isKey)
            case .word(let word, let place):
                guard byte == word.utf8Start[place] else { return .flaw }
                token = .word(word, at: place + 1)
                if place + 1 == word.utf8CodeUnitCount {
                    offset &+= 1
                    return endValue(.scalar)
                }
            case .number(let number):
                if let further = JSONWalk.further(number, byte) {
                    token = .number(further)
                } else {
                    // Where a number ends is seen only behind it.
                    return number.mayEnd ? endValue(.scalar) : .flaw
                }
            }
            offset &+= 1
        }
        return nil
    }

    /// - Returns: `nil` where a longer part begins.
    private mutating func begin(_ byte: UInt8) -> Mark? {
        switch byte {
        case UInt8(ascii: "\""):
            guard expectsKey || (expectsValue && depth > 0) else { return .flaw }
            token = .string(isKey: expectsKey)
            captured.removeAll(keepingCapacity: true)
            hasCaptured = captureLimit > 0
            return nil
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            let opensObject = byte == UInt8(ascii: "{")
            guard expectsValue, depth < JSONWalk.depthLimit, opensObject || depth > 0 else { return .flaw }
            isObject.append(opensObject)
            expectation = opensObject ? .keyOrEnd : .valueOrEnd
            return opensObject ? .objectBegins : .arrayBegins
        case UInt8(ascii: "}"):
            guard expectation == .keyOrEnd || (expectation == .commaOrEnd && isObject.last == true) else {
                return .flaw
            }
            isObject.removeLast()
            return endValue(.objectEnds)
        case UInt8(ascii: "]"):
            guard expectation == .valueOrEnd || (expectation == .commaOrEnd && isObject.last == false) else {
                return .flaw
            }
            isObject.removeLast()
            return endValue(.arrayEnds)
        case UInt8(ascii: ","):
            guard expectation == .commaOrEnd else { return .flaw }
            expectation = isObject.last == true ? .key : .value
            return .comma
        case UInt8(ascii: ":"):
            guard expectation == .colon else { return .flaw }
            expectation = .value
            return nil
        default:
            return beginScalar(byte)
        }
    }

    private mutating func beginScalar(_ byte: UInt8) -> Mark? {
        guard expectsValue, depth > 0 else { return .flaw }
        switch byte {
        case UInt8(ascii: "t"): token = .word("true", at: 1)
        case UInt8(ascii: "f"): token = .word("false", at: 1)
        case UInt8(ascii: "n"): token = .word("null", at: 1)
        case UInt8(ascii: "-"): token = .number(.minus)
        case UInt8(ascii: "0"): token = .number(.zero)
        case UInt8(ascii: "1")...UInt8(ascii: "9"): token = .number(.digits)
        default: return .flaw
        }
        return nil
    }

    private var expectsKey: Bool { expectation == .key || expectation == .keyOrEnd }

    private var expectsValue: Bool { expectation == .value || expectation == .valueOrEnd }

    private mutating func end(isKey: Bool) -> Mark {
        guard isKey else { return endValue(.string) }
        token = .none
        expectation = .colon
        return .key
    }

    private mutating func endValue(_ mark: Mark) -> Mark {
        token = .none
        expectation = isObject.isEmpty ? .nothing : .commaOrEnd
        return mark
    }

    @inline(__always)
    private mutating func capture(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
        guard hasCaptured else { return }
        guard captured.count + range.count <= captureLimit else {
            hasCaptured = false
            return
        }
        captured.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[range]))
    }

    /// Passes over what may stand in a string as it is, eight bytes at a time.
    private static func skipPlain(_ bytes: UnsafeBufferPointer<UInt8>, _ offset: inout Int) {
        let high: UInt64 = 0x8080_8080_8080_8080
        let ones: UInt64 = 0x0101_0101_0101_0101
        while offset &+ 8 <= bytes.count {
            let eight = UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let quotes = eight ^ (ones &* 0x22)
            let backslashes = eight ^ (ones &* 0x5C)
            let special = (eight &- ones &* 0x20) | (quotes &- ones) | (backslashes &- ones)
            guard special & ~eight & high == 0 else { break }
            offset &+= 8
        }
        while offset < bytes.count {
            let byte = bytes[offset]
            guard byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") else { return }
            offset &+= 1
        }
    }

    private static func following(escape byte: UInt8, isKey: Bool) -> Token? {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            .string(isKey: isKey)
        case UInt8(ascii: "u"): .hex(isKey: isKey, left: 4)
        default: nil
        }
    }

    /// The number with one more byte; `nil` where it does not belong to the number.
    private static func further(_ number: Number, _ byte: UInt8) -> Number? {
        let isDigit = byte.decimalDigitValue != nil
        switch number {
        case .minus: return isDigit ? (byte == UInt8(ascii: "0") ? .zero : .digits) : nil
        case .zero, .digits:
            if isDigit { return number == .digits ? .digits : nil }
            if byte == UInt8(ascii: ".") { return .point }
            return byte | 0x20 == UInt8(ascii: "e") ? .exponent : nil
        case .point: return isDigit ? .fraction : nil
        case .fraction:
            if isDigit { return .fraction }
            return byte | 0x20 == UInt8(ascii: "e") ? .exponent : nil
        case .exponent:
            if isDigit { return .exponentDigits }
            return byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") ? .exponentSign : nil
        case .exponentSign, .exponentDigits: return isDigit ? .exponentDigits : nil
        }
    }
}

extension UInt8 {
    /// Blanks of JSON: space, tab, line feed, carriage return.
    @inline(__always)
    var isJSONBlank: Bool { self == 0x20 || self == 0x0A || self == 0x0D || self == 0x09 }
}
