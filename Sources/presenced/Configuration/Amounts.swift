import PresenceModel

/// Durations as they are written: a whole number and one of `ms`, `s`, `m`, `h`, `d`.
enum DurationText {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// `nil` unless the text is a duration below 100 years.
    static func parse(_ text: String) -> Duration? {
        guard let (count, unit) = splitAmount(text),
            let factor = units.first(where: { $0.name == unit })?.milliseconds
        else { return nil }
        let (milliseconds, overflow) = count.multipliedReportingOverflow(by: factor)
        guard !overflow, milliseconds < 36_500 * 86_400_000 else { return nil }
        return .milliseconds(milliseconds)
    }

    /// In the largest unit that needs no fraction: `1h`, `65m`, `90s`.
    static func write(_ duration: Duration) -> String {
        let milliseconds = duration.inMilliseconds
        guard milliseconds != 0 else { return "0s" }
        for unit in units where milliseconds % unit.milliseconds == 0 {
            return "\(milliseconds / unit.milliseconds)\(unit.name)"
        }
        return "\(milliseconds)ms"
    }
}

/// Sizes as they are written: a number of bytes, or a whole number and one of `KiB`, `MiB`, `GiB`.
enum SizeText {
    private static let units: [(name: String, bytes: Int64)] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]

    /// The size in bytes; `nil` unless the text is a size below an exbibyte.
    static func parse(_ text: String) -> Int? {
        guard let (count, unit) = splitAmount(text) else { return nil }
        let factor = unit.isEmpty ? 1 : units.first(where: { $0.name == unit })?.bytes
        guard let factor else { return nil }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: factor)
        guard !overflow, bytes < 1 << 60 else { return nil }
        return Int(bytes)
    }

    /// In the largest unit that needs no fraction: `8MiB`, `1500`.
    static func write(_ bytes: Int) -> String {
        for unit in units where bytes != 0 && Int64(bytes) % unit.bytes == 0 {
            return "\(Int64(bytes) / unit.bytes)\(unit.name)"
        }
        return "\(bytes)"
    }
}

/// Digits and what follows them; `nil` without digits or beyond 64 bits.
private func splitAmount(_ text: String) -> (count: Int64, unit: String)? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let count = Int64(digits) else { return nil }
    return (count, String(text[digits.endIndex...]))
}
