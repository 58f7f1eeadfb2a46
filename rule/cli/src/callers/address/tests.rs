use super::*;

#[test]
fn an_address_is_public_unless_it_belongs_to_a_network_of_ones_own() {
    for (class, addresses) in [
        // RFC 5737, 2544 and 3849 reserve ranges for documentation and tests. Nobody calls from there but examples, which mean the
        // internet.
        (
            "public",
            "8.8.8.8 54.240.230.177 192.0.2.1 198.51.100.7 203.0.113.255 198.18.0.1 172.15.255.255 172.32.0.0 100.63.255.255 100.128.0.0 \
             169.253.1.1 223.255.255.255 2001:db8::1 2600:1f18::1 ::ffff:8.8.8.8 64:ff9b::808:808 2001:DB8:0:0:0:0:0:1",
        ),
        (
            "private",
            "10.0.0.1 172.16.0.0 172.31.255.255 192.168.255.255 100.64.0.0 100.127.255.255 169.254.169.254 127.0.0.1 ::1 fc00::1 fd12:3456::1 \
             fe80::1 febf::1 ::ffff:10.0.0.1 ::FFFF:192.168.0.1",
        ),
        (
            "aws-service",
            "cloudformation.amazonaws.com console.ec2.amazonaws.com states.us-east-1.amazonaws.com s3.amazonaws.com.cn config-multiaccountsetup.amazonaws.com aws.internal x.aws.internal",
        ),
        (
            "unknown",
            "- 0.0.0.0 0.1.2.3 255.255.255.255 240.0.0.1 224.0.0.1 :: ff02::1 8.8.8 8.8.8.8.8 08.8.8.8 8.8.8.8:443 [::1] fe80::1%eth0 256.1.1.1 1e3 ::ffff: \
             amazonaws.com .amazonaws.com .aws.internal internal laws.internal evil.example x.amazonaws.com.evil.example a/b.amazonaws.com amazonaws.com.cn 10.0.0.0/8 ::ffff:0.0.0.0",
        ),
    ] {
        for address in addresses.split(' ') {
            assert_eq!(AddressClass::of(address, None).as_str(), class, "{address}");
        }
    }
    assert_eq!(AddressClass::of("AWS Internal", None), AddressClass::AwsService);
    for nothing in
        ["", " ", "\u{1b}[2J", "10.0.0.1 ", "10.0.0.1\n", "１０.0.0.1", &"1".repeat(10_000), &"a.".repeat(10_000)]
    {
        assert_eq!(AddressClass::of(nothing, None), AddressClass::Unknown, "{nothing:?}");
    }
}

#[test]
fn a_call_through_an_endpoint_is_one_whatever_its_address() {
    let id = Some("vpce-0a1b2c3d");
    for address in ["10.0.0.1", "203.0.113.7", "fd00::1", "", "garbage"] {
        assert_eq!(AddressClass::of(address, id).as_str(), "vpc-endpoint", "{address}");
    }
    assert_eq!(AddressClass::of("cloudformation.amazonaws.com", id), AddressClass::AwsService);
    for no_id in [None, Some(""), Some("-"), Some("vpce-"), Some("vpc-0a1b2c3d")] {
        assert_eq!(AddressClass::of("10.0.0.1", no_id), AddressClass::Private, "{no_id:?}");
    }
}
