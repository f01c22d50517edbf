/// One JSON value. Text compares byte for byte, not by Unicode equivalence: signatures cover bytes.
///
/// Spec: appendices, canonical JSON.
public enum JSONValue: Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A whole number. The parser yields only -(2^53-1)...2^53-1; writers keep to that.
    case integer(Int64)
    /// A number that canonical JSON has no place for (`1.5`, `1e3`, `-0`, 2^53 and above), as it was written.
    ///
    /// Comes out of ``JSONParser`` only with ``JSONParser/Numbers/any``; is written as it came.
    case fraction(String)
    /// Text, already unescaped.
    case string(String)
    /// Values in document order.
    case array([JSONValue])
    /// Members in document order.
    case object(JSONObject)
}

extension JSONValue {
    /// The greatest magnitude of a canonical number: 2^53-1.
    public static let integerLimit: Int64 = (1 << 53) - 1

    /// True for `null`.
    public var isNull: Bool { if case .null = self { true } else { false } }

    /// The truth value, if this is one.
    public var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }

    /// The whole number, if this is one.
    public var integer: Int64? { if case .integer(let integer) = self { integer } else { nil } }

    /// The text, if this is one.
    public var string: String? { if case .string(let string) = self { string } else { nil } }

    /// The values, if this is an array.
    public var array: [JSONValue]? { if case .array(let array) = self { array } else { nil } }

    /// The members, if this is an object.
    public var object: JSONObject? { if case .object(let object) = self { object } else { nil } }

    /// The value under `key`, if this is an object that has it.
    public subscript(key: String) -> JSONValue? { object?[key] }
}

extension JSONValue: Equatable {
    /// Objects are equal whatever the order of their members.
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.fraction(let left), .fraction(let right)): left.hasSameBytes(as: right)
        case (.string(let left), .string(let right)): left.hasSameBytes(as: right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }
}

extension JSONValue: ExpressibleByNilLiteral {
    /// `null`.
    public init(nilLiteral: ()) { self = .null }
}

extension JSONValue: ExpressibleByBooleanLiteral {
    /// `true` or `false`.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}

extension JSONValue: ExpressibleByIntegerLiteral {
    /// A whole number.
    public init(integerLiteral value: Int64) { self = .integer(value) }
}

extension JSONValue: ExpressibleByStringLiteral {
    /// Text.
    public init(stringLiteral value: String) { self = .string(value) }
}

extension JSONValue: ExpressibleByArrayLiteral {
    /// Values in order.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
}

extension JSONValue: ExpressibleByDictionaryLiteral {
    /// Members in order. A repeated key is a programmer's error.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        object.reserveCapacity(elements.count)
        for (key, value) in elements {
            precondition(object[key] == nil, "repeated key in a literal: \(key)")
            object.append(key: key, value: value)
        }
        self = .object(object)
    }
}

extension String {
    /// Equal byte for byte; `==` takes canonically equivalent texts for the same.
    ///
    /// Unlike bytes are the common case and end at the first comparison.
    func hasSameBytes(as other: String) -> Bool {
        guard utf8.count == other.utf8.count, self == other else { return false }
        return utf8.elementsEqual(other.utf8)
    }

    /// The order of Unicode code points, which is the order of UTF-8 bytes.
    func precedesInBytes(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}
