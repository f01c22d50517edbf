extension JSONScanner {
    /// The number that begins at `offset`, with a digit or `-`.
    mutating func number() throws(JSONError) -> JSONValue {
        let start = offset
        let isNegative = byte(at: offset) == UInt8(ascii: "-")
        if isNegative { offset += 1 }
        let firstDigit = offset
        var magnitude: Int64 = 0
        while let digit = byte(at: offset).decimalDigitValue {
            // Past the limit the exact value no longer matters, only that it is past.
            if magnitude <= JSONValue.integerLimit { magnitude = magnitude * 10 + Int64(digit) }
            offset += 1
        }
        let digits = offset - firstDigit
        guard digits > 0 else { throw unexpected() }
        guard digits == 1 || byte(at: firstDigit) != UInt8(ascii: "0") else {
            throw JSONError(reason: .malformed, offset: firstDigit + 1)
        }
        let isWhole = try !skipFractionAndExponent()
        if isWhole, magnitude <= JSONValue.integerLimit, !(isNegative && magnitude == 0) {
            return .integer(isNegative ? -magnitude : magnitude)
        }
        guard rules.numbers == .any else { throw JSONError(reason: .numberNotCanonical, offset: start) }
        isCanonical = false
        return .fraction(String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<offset]), as: UTF8.self))
    }

    /// - Returns: whether there was either.
    private mutating func skipFractionAndExponent() throws(JSONError) -> Bool {
        var found = false
        if byte(at: offset) == UInt8(ascii: ".") {
            found = true
            offset += 1
            try skipDigits()
        }
        if byte(at: offset) | 0x20 == UInt8(ascii: "e") {
            found = true
            offset += 1
            if byte(at: offset) == UInt8(ascii: "+") || byte(at: offset) == UInt8(ascii: "-") { offset += 1 }
            try skipDigits()
        }
        return found
    }

    /// One digit or more.
    private mutating func skipDigits() throws(JSONError) {
        guard byte(at: offset).decimalDigitValue != nil else { throw unexpected() }
        while byte(at: offset).decimalDigitValue != nil { offset += 1 }
    }
}

extension UInt8 {
    /// The value of an ASCII digit.
    var decimalDigitValue: UInt8? {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) ? self - UInt8(ascii: "0") : nil
    }
}
