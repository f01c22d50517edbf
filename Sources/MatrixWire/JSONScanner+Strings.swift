extension JSONScanner {
    /// The string whose opening quote is at `offset`.
    mutating func string() throws(JSONError) -> ScannedText {
        offset += 1
        let start = offset
        while true {
            skipPlainBytes()
            let byte = byte(at: offset)
            switch byte {
            case UInt8(ascii: "\""):
                let range = start..<offset
                offset += 1
                return ScannedText(text: text(in: range), range: range, hasEscapes: false)
            case UInt8(ascii: "\\"): return try escapedString(from: start)
            case 0x80...: try skipMultibyteCharacter(startingWith: byte)
            default: throw flaw(offset < bytes.count ? .controlCharacter : .unexpectedEnd)
            }
        }
    }

    /// Passes over bytes that stand for themselves, eight at a time.
    @inline(__always)
    private mutating func skipPlainBytes() {
        let high: UInt64 = 0x8080_8080_8080_8080
        let ones: UInt64 = 0x0101_0101_0101_0101
        while offset &+ 8 <= bytes.count {
            let eight = UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let quotes = eight ^ (ones &* 0x22)
            let backslashes = eight ^ (ones &* 0x5C)
            let special =
                (eight &- ones &* 0x20) | (quotes &- ones) | (backslashes &- ones) | eight
            guard special & high == 0 else { break }
            offset &+= 8
        }
        while isPlain(byte(at: offset)) { offset &+= 1 }
    }

    private func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x80 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    /// For bytes that were validated.
    private func text(in range: Range<Int>) -> String {
        String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    /// Passes over one character of two to four bytes. Unicode, table 3-7: well-formed UTF-8 byte sequences.
    private mutating func skipMultibyteCharacter(startingWith first: UInt8) throws(JSONError) {
        let second = byte(at: offset + 1)
        let length: Int
        let isSecondLegal: Bool
        switch first {
        case 0xC2...0xDF: (length, isSecondLegal) = (2, (0x80...0xBF).contains(second))
        case 0xE0: (length, isSecondLegal) = (3, (0xA0...0xBF).contains(second))
        case 0xED: (length, isSecondLegal) = (3, (0x80...0x9F).contains(second))
        case 0xE1...0xEF: (length, isSecondLegal) = (3, (0x80...0xBF).contains(second))
        case 0xF0: (length, isSecondLegal) = (4, (0x90...0xBF).contains(second))
        case 0xF1...0xF3: (length, isSecondLegal) = (4, (0x80...0xBF).contains(second))
        case 0xF4: (length, isSecondLegal) = (4, (0x80...0x8F).contains(second))
        default: throw flaw(.badUTF8)
        }
        guard isSecondLegal else { throw flaw(.badUTF8) }
        for index in 2..<max(length, 2) where byte(at: offset + index) & 0xC0 != 0x80 { throw flaw(.badUTF8) }
        offset += length
    }

    /// Goes on at the first escape of the string whose content begins at `start`.
    private mutating func escapedString(from start: Int) throws(JSONError) -> ScannedText {
        var unescaped = Array(bytes[start..<offset])
        while true {
            let plain = offset
            skipPlainBytes()
            if offset > plain { unescaped.append(contentsOf: bytes[plain..<offset]) }
            let byte = byte(at: offset)
            switch byte {
            case UInt8(ascii: "\""):
                let range = start..<offset
                offset += 1
                return ScannedText(text: String(decoding: unescaped, as: UTF8.self), range: range, hasEscapes: true)
            case UInt8(ascii: "\\"): try unescape(into: &unescaped)
            case 0x80...:
                let character = offset
                try skipMultibyteCharacter(startingWith: byte)
                unescaped.append(contentsOf: bytes[character..<offset])
            default: throw flaw(offset < bytes.count ? .controlCharacter : .unexpectedEnd)
            }
        }
    }

    /// One escape, whose backslash is at `offset`.
    private mutating func unescape(into text: inout [UInt8]) throws(JSONError) {
        let letter = byte(at: offset + 1)
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): text.append(letter)
        case UInt8(ascii: "/"):
            isCanonical = false
            text.append(letter)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "u"):
            try unescapeCodePoint(into: &text)
            return
        default: throw flaw(offset + 1 < bytes.count ? .badEscape : .unexpectedEnd)
        }
        offset += 2
    }

    /// `\uXXXX`, or a surrogate pair of two.
    private mutating func unescapeCodePoint(into text: inout [UInt8]) throws(JSONError) {
        let start = offset
        guard let unit = hexUnit(at: start) else { throw flaw(.badEscape) }
        offset += 6
        var codePoint = UInt32(unit)
        if (0xD800...0xDBFF).contains(unit) {
            guard let low = hexUnit(at: offset), (0xDC00...0xDFFF).contains(low) else {
                throw JSONError(reason: .badEscape, offset: start)
            }
            offset += 6
            codePoint = 0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(codePoint) else { throw JSONError(reason: .badEscape, offset: start) }
        text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        if !isMinimalEscape(codePoint, at: start) { isCanonical = false }
    }

    /// The four hex digits of the `\uXXXX` at `offset`.
    private func hexUnit(at offset: Int) -> UInt16? {
        guard byte(at: offset) == UInt8(ascii: "\\"), byte(at: offset + 1) == UInt8(ascii: "u") else { return nil }
        var unit: UInt16 = 0
        for index in 2..<6 {
            guard let digit = byte(at: offset + index).hexDigitValue else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }

    /// Canonical JSON writes `\u00xx`, in lower case, for the control characters without a letter of their own.
    private func isMinimalEscape(_ codePoint: UInt32, at offset: Int) -> Bool {
        guard codePoint < 0x20, ![0x08, 0x09, 0x0A, 0x0C, 0x0D].contains(codePoint) else { return false }
        return !(UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte(at: offset + 5))
    }
}

extension UInt8 {
    /// The value of an ASCII hex digit.
    var hexDigitValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
