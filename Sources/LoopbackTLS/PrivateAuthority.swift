import Crypto
import Foundation
import SwiftASN1
import X509

/// A certificate authority of a few minutes' life, and certificates by it: for servers that talk TLS to each other on
/// one machine, in the demonstration, in measurements and in tests. Never for anything else.
public struct PrivateAuthority: Sendable {
    /// Where the files of one certificate lie.
    public struct Files: Hashable, Sendable {
        /// Path of the certificate, PEM.
        public var certificate: String
        /// Path of its private key, PEM, readable by the owner alone.
        public var key: String
    }

    /// The authority's own certificate, PEM.
    public let path: String
    private let folder: String
    private let certificate: Certificate
    private let key: Certificate.PrivateKey

    /// Makes the authority, and writes its certificate to `folder`/ca.pem.
    public init(folder: String) throws {
        self.folder = folder
        path = "\(folder)/ca.pem"
        key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let name = try DistinguishedName { CommonName("presenced loopback authority") }
        certificate = try PrivateAuthority.issue(
            subject: name, issuer: name, for: key.publicKey, by: key,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true))
            })
        try Data(certificate.serializeAsPEM().pemString.utf8).write(to: URL(fileURLWithPath: path))
    }

    /// A certificate for `names` (DNS names) and the loopback addresses, in `folder`/`label`.pem and .key.
    /// - Parameters:
    ///   - hasAddresses: whether it is for the loopback addresses at all.
    ///   - isExpired: whether it ended an hour ago.
    public func issue(
        label: String, names: [String], hasAddresses: Bool = true, isExpired: Bool = false
    ) throws -> Files {
        let leafKey = P256.Signing.PrivateKey()
        let publicKey = Certificate.PrivateKey(leafKey).publicKey
        let addresses: [GeneralName] = [
            .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
            .ipAddress(ASN1OctetString(contentBytes: ArraySlice(repeatElement(0, count: 15) + [1]))),
        ]
        let leaf = try PrivateAuthority.issue(
            subject: try DistinguishedName { CommonName(label) }, issuer: certificate.subject, for: publicKey, by: key,
            end: isExpired ? Date().addingTimeInterval(-3600) : nil,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(names.map { .dnsName($0) } + (hasAddresses ? addresses : []))
            })
        let files = Files(certificate: "\(folder)/\(label).pem", key: "\(folder)/\(label).key")
        try Data(leaf.serializeAsPEM().pemString.utf8).write(to: URL(fileURLWithPath: files.certificate))
        let made = FileManager.default.createFile(
            atPath: files.key, contents: Data(leafKey.pemRepresentation.utf8),
            attributes: [.posixPermissions: 0o600])
        guard made else { throw CocoaError(.fileWriteUnknown) }
        return files
    }

    private static func issue(
        subject: DistinguishedName, issuer: DistinguishedName, for publicKey: Certificate.PublicKey,
        by key: Certificate.PrivateKey, end: Date? = nil, extensions: Certificate.Extensions
    ) throws -> Certificate {
        let now = Date()
        return try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: now.addingTimeInterval(-7200), notValidAfter: end ?? now.addingTimeInterval(7 * 86400),
            issuer: issuer, subject: subject, signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions,
            issuerPrivateKey: key)
    }
}
