import MatrixFederation
import PresenceModel
import Yams

// Values that are several: one line each.
extension ValueForm where Value == [ServerName: NetworkAddress] {
    static var addressesByServer: ValueForm {
        ValueForm(rule: "server names, each with host:port") { (node, folder) throws(ValueProblem) in
            guard !node.isNull else { return [:] }
            guard case .mapping(let mapping) = node else {
                throw ValueProblem(message: "is a list of lines such as example.org: 10.0.0.1:8448, indented")
            }
            var addresses: Value = [:]
            for (key, value) in mapping {
                let server = try ValueForm<ServerName>.serverName.read(key, folder)
                let address = try ValueForm<NetworkAddress>.address.read(value, folder)
                guard address.port > 0 else { throw ValueProblem(message: "'\(address)' needs a port above 0") }
                addresses[server] = address
            }
            return addresses
        } write: { addresses in
            let pairs = addresses.sorted { $0.key < $1.key }.map { "\($0.key.text): \"\($0.value)\"" }
            return "{\(pairs.joined(separator: ", "))}"
        }
    }
}

extension ValueForm where Value == [ServerName: ListPolicy] {
    static var policiesByServer: ValueForm {
        let names = ListPolicy.allCases.map(\.rawValue).joined(separator: ", ")
        return ValueForm(rule: "server names, each with one of \(names)") { (node, folder) throws(ValueProblem) in
            guard case .mapping(let mapping) = node else {
                throw ValueProblem(message: "is a list of lines such as example.org: deny_all, indented; {} for none")
            }
            var policies: Value = [:]
            for (key, value) in mapping {
                let server = try ValueForm<ServerName>.serverName.read(key, folder)
                policies[server] = try ValueForm<ListPolicy>.choice.read(value, folder)
            }
            return policies
        } write: { policies in
            let pairs = policies.sorted { $0.key < $1.key }.map { "\($0.key.text): \($0.value.rawValue)" }
            return "{\(pairs.joined(separator: ", "))}"
        }
    }
}

extension ValueForm where Value == [RoomID] {
    static var rooms: ValueForm {
        list("room identifiers", example: "!room:example.org", write: \.text) { try? RoomID(parsing: $0) }
    }
}

extension ValueForm where Value == [ServerName] {
    static var serverNames: ValueForm {
        list("Matrix server names", example: "example.org", write: \.text) { try? ServerName(parsing: $0) }
    }
}

extension ValueForm where Value == [AddressRange] {
    static var addressRanges: ValueForm {
        list("address ranges", example: "10.0.0.0/8", write: \.description) { AddressRange(parsing: $0) }
    }
}

extension ValueForm where Value == [NetworkAddress] {
    /// IP addresses with a port, 53 where none is written.
    static var dnsServers: ValueForm {
        list("IP addresses, each with or without port", example: "192.0.2.53:53", write: \.description) { text in
            let address =
                IPAddress(parsing: text) == nil
                ? NetworkAddress(parsing: text) : NetworkAddress(host: text, port: 53)
            return address.flatMap { $0.port > 0 && IPAddress(parsing: $0.host) != nil ? $0 : nil }
        }
    }
}

extension ValueForm {
    private static func list<Element>(
        _ elements: String, example: String, write: @escaping @Sendable (Element) -> String,
        parse: @escaping @Sendable (String) -> Element?
    ) -> ValueForm where Value == [Element] {
        ValueForm(rule: "a list of \(elements)") { (node, _) throws(ValueProblem) in
            guard case .sequence(let sequence) = node else {
                throw ValueProblem(message: "is a list of lines such as - \"\(example)\", indented; [] for none")
            }
            var found: Value = []
            for element in sequence {
                guard case .scalar(let scalar) = element, let value = parse(scalar.string) else {
                    throw ValueProblem(message: "holds what is none of \(elements); write \"\(example)\"")
                }
                found.append(value)
            }
            return found
        } write: { values in
            "[\(values.map { "\"\(write($0))\"" }.joined(separator: ", "))]"
        }
    }
}

extension ValueForm where Value == [ServerGlob] {
    /// The most patterns of one list.
    private static var serverGlobsLimit: Int { 10_000 }

    static var serverGlobs: ValueForm {
        ValueForm(rule: "a list of server names, which may hold * and ?") { (node, _) throws(ValueProblem) in
            guard case .sequence(let sequence) = node else {
                throw ValueProblem(message: "is a list of lines such as - \"*.example.org\", indented; [] for none")
            }
            guard sequence.count <= serverGlobsLimit else {
                throw ValueProblem(message: "holds \(sequence.count) names; \(serverGlobsLimit) are the most")
            }
            var globs: Value = []
            for element in sequence {
                guard case .scalar(let scalar) = element else {
                    throw ValueProblem(message: "holds what is no server name; write \"*.example.org\"")
                }
                guard let glob = try? ServerGlob(parsing: scalar.string) else {
                    throw ValueProblem(
                        message: "'\(scalar.string)' is neither a server name nor a pattern for one; write "
                            + "\"*.example.org\"")
                }
                globs.append(glob)
            }
            return globs
        } write: { globs in
            "[\(globs.map { "\"\($0.text)\"" }.joined(separator: ", "))]"
        }
    }
}
